#!/usr/bin/env bash
# tier.sh TIER: one tier of tests (lint, pure, serving, compiled, component, importing, transformers, e2e).
# shellcheck disable=SC2317,SC2329 # tiers are called by name
. "$(dirname "$0")/../lib.sh"
cd "$DEV/.."

lint() {
  "$DEV/python.sh" -m ruff check .
  "$DEV/python.sh" -m ruff format --check .
  "$DEV/python.sh" -m mypy
  "$DEV/python.sh" -c 'from importlinter.cli import lint_imports_command as lint; lint()'
  "$DEV/python.sh" dev/test/import_graph.py viridian viridian_serving viridian_import
  "$DEV/python.sh" dev/test/sizes.py operator serving-image examples tests dev docs
  "$DEV/python.sh" -m viridian.api.generators.crd --check
  "$DEV/python.sh" -m viridian.api.generators.reference --check
  "$DEV/python.sh" -m viridian.monitoring.generators.rules --check
  "$DEV/python.sh" -m viridian.monitoring.generators.dashboards --check
  need shellcheck
  shellcheck -x -P SCRIPTDIR dev/*.sh dev/*/*.sh .ci/run
}
# Each tier names where its tests are, since to import the modules of all others takes longer than some tiers do.
pure() {
  run_pytest pure -n 2 --dist worksteal --ignore=tests/component --ignore=tests/e2e \
    -m "not serving and not component and not importing and not transformers and not e2e"
}
# Pods as local processes, with a real Triton in each: they compute more than they wait.
serving() {
  # The stores that models are fetched from, and what reads the pods' metrics.
  "$DEV/toolchain/build-go.sh" versitygw prometheus
  "$DEV/toolchain/docker-registry.sh" >/dev/null
  "$DEV/toolchain/environment.sh" requirements/mlflow.txt >/dev/null
  run_pytest serving -n 2 --dist worksteal -m serving tests/serving tests/cli/test_digest_of_stores.py
}
# The serving image has its hot modules compiled: their own tests once more, and pods under what clients may send them.
compiled() {
  local folder form status=0
  folder=$("$DEV/toolchain/compiled.sh")
  # Of the tests' own processes, and of those that they start.
  export SERVING=$folder
  form=(-n 2 --dist worksteal -p no:schemathesis -o "pythonpath=operator $folder .")
  # What runs preprocess.py is not compiled, and much of its tests is waiting.
  run_pytest compiled "${form[@]}" -m "not serving" --ignore=tests/serving/inference/test_worker_host.py \
    tests/serving/{http1,codec,inference,metrics,telemetry,api} || status=1
  run_pytest compiled-pods "${form[@]}" -m serving \
    tests/serving/api/test_{pod,hostile,malformed,pod_trouble,two_pods}.py tests/serving/commands/test_drill.py || status=1
  return "$status"
}
component() {
  need chromium # looks at the dashboard
  "$DEV/toolchain/bin.sh" >/dev/null
  "$DEV/toolchain/build-go.sh" helm kstatus prometheus prometheus-operator prom-label-proxy otel-collector
  # Its tests wait more than they compute: three of them at a time, each with an API server of its own. What is written in
  # Go collects its garbage a quarter as often: an API server spends a sixth of its time on that, with memory to spare.
  GOGC=400 run_pytest component -n 3 --dist worksteal -m component -p no:schemathesis tests/component
}
importing() {
  # In its own environment: what models are made and converted with is in nothing else that is tested.
  REQUIREMENTS=requirements/importing.txt run_pytest importing -n 2 --dist worksteal tests/importing -m importing
}
transformers() {
  # 5 GB of packages, so that it runs only when it is asked for.
  "$DEV/toolchain/environment.sh" requirements/keras.txt >/dev/null # a user's own Python
  REQUIREMENTS=requirements/transformers.txt run_pytest transformers tests/importing -m transformers
}
e2e() {
  # One run at a time: another would replace the operator in the middle of this one's tests.
  exec 8>"$CACHE/e2e.lock"
  flock --nonblock 8 || { say "Other end-to-end tests use the cluster; these begin when they have ended." && flock 8; }
  local made status=0
  made=$("$DEV/cluster/install.sh" 8>&-) # what it leaves running holds no lock
  eval "$made"
  VIRIDIAN_GATEWAY_URL=$(gateway_url)
  export VIRIDIAN_DEMO_IMAGE=$DEMO_IMAGE VIRIDIAN_DEMO_SAMPLES=$DEMO_SAMPLES VIRIDIAN_GATEWAY_URL
  # They wait more than they compute: two at a time, each in its own namespace. Those that must be alone come last.
  run_pytest e2e -n 2 --dist worksteal -m "e2e and not alone" -p no:schemathesis tests/e2e 8>&- || status=1
  run_pytest e2e-alone -m "e2e and alone" -p no:schemathesis tests/e2e 8>&- || status=1
  return "$status"
}
# run_pytest NAME ARGUMENT…
run_pytest() { "$DEV/python.sh" -m pytest -q --durations=5 --junit-xml="build/tests-$1.xml" "${@:2}"; }

"$1"
