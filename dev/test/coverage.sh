#!/usr/bin/env bash
# coverage.sh (= make coverage): which lines and branches of the pure core its tests do not run, and the share of the others.
# Whether a test would notice a mistake, `make mutants` says.
. "$(dirname "$0")/../lib.sh"
cd "$DEV/.."

mkdir -p build
tool=$("$DEV/toolchain/beside.sh" requirements/coverage.txt)
interpreter=$("$DEV/toolchain/environment.sh" requirements/dev.txt)
export PYTHONPATH=operator:serving-image:.:$tool COVERAGE_FILE=build/coverage
"$interpreter" -m coverage run -m pytest -q tests/api tests/guards tests/rollout tests/traffic tests/workloads
"$interpreter" -m coverage report
