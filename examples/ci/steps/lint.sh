#!/bin/sh
# lint.sh: checks the manifest without a cluster. RPM is how many requests a minute the model usually gets.
set -eu
kubectl kustomize "${DEPLOY:-deploy}" | kubectl viridian lint ${RPM:+--rpm "$RPM"} -
