#!/usr/bin/env bash
# test.sh TIER…: runs tiers of tests (lint, pure, serving, component, importing, transformers, e2e) one after the other,
# all of them even if one fails, and ends with a table of what passed and how long it took.
# shellcheck disable=SC2317,SC2329 # tiers are called by name
. "$(dirname "$0")/../lib.sh"
cd "$DEV/.."
mkdir -p build
rm -f build/tests-*.xml

lint() {
  "$DEV/python.sh" -m ruff check .
  "$DEV/python.sh" -m ruff format --check .
  "$DEV/python.sh" -m mypy
  "$DEV/python.sh" -c 'from importlinter.cli import lint_imports_command as lint; lint()'
  "$DEV/python.sh" dev/test/import_graph.py viridian viridian_serving viridian_import
  "$DEV/python.sh" -m viridian.api.generators.crd --check
  "$DEV/python.sh" -m viridian.api.generators.reference --check
  "$DEV/python.sh" -m viridian.monitoring.generators.rules --check
  "$DEV/python.sh" -m viridian.monitoring.generators.dashboards --check
  need shellcheck
  shellcheck -x -P SCRIPTDIR dev/*.sh dev/*/*.sh .ci/run
}
pure() {
  run_pytest pure -n 2 --dist worksteal \
    -m "not serving and not component and not importing and not transformers and not e2e"
}
# Pods as local processes, with a real Triton in each: they compute more than they wait.
serving() {
  # The stores that models are fetched from, and what reads the pods' metrics.
  "$DEV/toolchain/build-go.sh" versitygw prometheus
  "$DEV/toolchain/docker-registry.sh" >/dev/null
  "$DEV/toolchain/environment.sh" requirements/mlflow.txt >/dev/null
  run_pytest serving -n 2 --dist worksteal -m serving
}
component() {
  need chromium # looks at the dashboard
  "$DEV/toolchain/bin.sh" >/dev/null
  "$DEV/toolchain/build-go.sh" helm kstatus prometheus prometheus-operator prom-label-proxy otel-collector
  # Its tests wait more than they compute: three of them at a time, each with an API server of its own.
  run_pytest component -n 3 --dist worksteal -m component
}
importing() {
  # In an environment of its own: what models are made and converted with is in nothing else that is tested.
  local python
  python=$("$DEV/toolchain/environment.sh" requirements/importing.txt)
  PYTHONPATH=operator:serving-image:. "$python" -m pytest -q --durations=5 --junit-xml=build/tests-importing.xml \
    -n 2 --dist worksteal tests/importing -m importing
}
transformers() {
  # 5 GB of packages, so that it runs only when it is asked for.
  local python
  python=$("$DEV/toolchain/environment.sh" requirements/transformers.txt)
  "$DEV/toolchain/environment.sh" requirements/keras.txt >/dev/null # a user's own Python
  PYTHONPATH=operator:serving-image:. "$python" -m pytest -q --durations=5 --junit-xml=build/tests-transformers.xml \
    tests/importing -m transformers
}
e2e() {
  local made
  made=$("$DEV/cluster/install.sh")
  eval "$made"
  export VIRIDIAN_DEMO_IMAGE=$DEMO_IMAGE VIRIDIAN_DEMO_SAMPLES=$DEMO_SAMPLES
  run_pytest e2e -m e2e
}
run_pytest() { "$DEV/python.sh" -m pytest -q --durations=5 --junit-xml="build/tests-$1.xml" "${@:2}"; }

"$DEV/python.sh" -c '' # what it takes to run Python at all, before anything is timed
results=()
failed=0
for tier in "$@"; do
  say "== $tier"
  started=$SECONDS
  set +e # and in no condition: there, bash would ignore failures inside the tier
  (
    set -e
    "$tier"
  )
  status=$?
  set -e
  result=passed
  if ((status)); then result=FAILED failed=1; fi
  results+=("$tier $result $((SECONDS - started))")
done
python3 "$DEV/test/summary.py" "${results[@]}"
if ((failed)); then
  say "Something failed; the lines above say what. The logs of servers are in build/, those of steps in $LOGS."
else
  say "All is well. \"make demo\" shows the whole at work, \"make clean\" removes the local cluster."
fi
exit "$failed"
