#!/usr/bin/env bash
# coverage.sh (= make coverage): which lines and branches of the pure core its tests run, and fails below what pyproject.toml
# names. Their share says what no test reaches; whether a test would notice a mistake, `make mutants` says.
. "$(dirname "$0")/../lib.sh"
cd "$DEV/.."

requirements=requirements/coverage.txt
tool=$CACHE/coverage/$(hash_of "$requirements")

fetch_tool() {
  rm -rf "$tool.tmp"
  "$DEV/python.sh" -m pip install --disable-pip-version-check --require-hashes --target "$tool.tmp" \
    --requirement "$requirements"
  mv -T "$tool.tmp" "$tool"
}

if [[ ! -d $tool ]]; then
  mkdir -p "$CACHE/coverage" build
  step "coverage" fetch_tool
fi
interpreter=$("$DEV/toolchain/environment.sh" requirements/dev.txt)
export PYTHONPATH=operator:serving-image:.:$tool COVERAGE_FILE=build/coverage
"$interpreter" -m coverage run -m pytest -q tests/api tests/guards tests/rollout tests/traffic tests/workloads
"$interpreter" -m coverage report
