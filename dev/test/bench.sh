#!/usr/bin/env bash
# bench.sh NAME [ARGUMENT…] (= make bench-NAME): a benchmark of tests/bench, after what it runs on has been made.
. "$(dirname "$0")/../lib.sh"
cd "$DEV/.."

module=${1-}
case $module in
  faults | demo) # the local cluster, with the operator installed
    made=$("$DEV/cluster/install.sh")
    eval "$made"
    VIRIDIAN_GATEWAY_URL=$(gateway_url)
    export VIRIDIAN_DEMO_IMAGE=$DEMO_IMAGE VIRIDIAN_DEMO_SAMPLES=$DEMO_SAMPLES VIRIDIAN_GATEWAY_PORT=$GATEWAY_PORT VIRIDIAN_GATEWAY_URL
    ;;
  idle) # a control plane as local processes
    "$DEV/toolchain/bin.sh" >/dev/null
    "$DEV/toolchain/build-go.sh" helm
    ;;
  serving | steady) # local processes; each server's own packages are installed, and ours compiled, when its turn comes
    need wrk
    ;;
  import) # local processes, in the environments that have the libraries that make models: 5 GB of packages
    module=importing
    export REQUIREMENTS=requirements/transformers.txt
    "$DEV/toolchain/environment.sh" requirements/keras.txt >/dev/null # a user's own Python
    ;;
  alerts) # Prometheus' own tester of rules
    "$DEV/toolchain/build-go.sh" prometheus
    ;;
  rules) # a local Prometheus
    "$DEV/toolchain/build-go.sh" prometheus
    mkdir -p build
    ;;
  page) # a browser, and a stand-in for kubectl
    need chromium
    mkdir -p build
    ;;
  fetch) # a local S3
    "$DEV/toolchain/build-go.sh" versitygw
    "$DEV/toolchain/environment.sh" requirements/bench/awscli.txt >/dev/null
    mkdir -p build
    ;;
  drift | guards) ;; # simulated
  laptop) ;; # local processes, in an environment of their own
  models) ;; # local processes; what brings or makes the models is fetched when its turn comes
  *) fail "there is no benchmark \"${1-}\"; there are alerts, drift, faults, demo, fetch, guards, idle, import, laptop, models, page, rules, serving and steady." ;;
esac
exec "$DEV/python.sh" -m "tests.bench.$module" "${@:2}"
