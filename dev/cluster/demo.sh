#!/usr/bin/env bash
# demo.sh (= make demo): from whatever this machine has to a model promoted and one rolled back.
. "$(dirname "$0")/../lib.sh"

made=$("$DEV/cluster/install.sh")
eval "$made"
export VIRIDIAN_DEMO_IMAGE=$DEMO_IMAGE VIRIDIAN_DEMO_SAMPLES=$DEMO_SAMPLES
mkdir -p "$DEV/../build"
exec "$DEV/python.sh" -m examples.demo
