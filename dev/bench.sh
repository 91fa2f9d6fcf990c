#!/usr/bin/env bash
# bench.sh NAME [ARGUMENT…] (= make bench-NAME): a benchmark of tests/bench on the local cluster, with the operator installed.
. "$(dirname "$0")/lib.sh"
cd "$DEV/.."

made=$("$DEV/install.sh")
eval "$made"
export VIRIDIAN_DEMO_IMAGE=$DEMO_IMAGE VIRIDIAN_DEMO_SAMPLES=$DEMO_SAMPLES VIRIDIAN_GATEWAY_PORT=$GATEWAY_PORT
exec "$DEV/python.sh" -m "tests.bench.$1" "${@:2}"
