#!/bin/sh
# check.sh FOLDER [OPTION...]: serves the version as a pod would, and asks it the sample and the golden requests. With --load it
# also has to keep a rate.
set -eu
exec viridian check "$@"
