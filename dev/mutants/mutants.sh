#!/usr/bin/env bash
# mutants.sh [MODULE…] (= make mutants): would the tests notice? Runs tests/rollout once for each small mistake that can be
# made in operator/viridian/rollout, or in these modules of it, and fails where one survives that docs/evidence/mutants.md does not
# explain. PACKAGE=guards in the environment: the same of operator/viridian/guards and tests/guards. It works on a copy of the tree as it was at the start.
. "$(dirname "$0")/../lib.sh"
cd "$DEV/.."

requirements=requirements/mutants.txt
tool=$CACHE/mutants/$(hash_of "$requirements")

fetch_tool() {
  rm -rf "$tool.tmp"
  "$DEV/python.sh" -m pip install --disable-pip-version-check --require-hashes --target "$tool.tmp" \
    --requirement "$requirements"
  mv -T "$tool.tmp" "$tool"
}

if [[ ! -d $tool ]]; then
  mkdir -p "$CACHE/mutants"
  step "mutmut" fetch_tool
fi
mkdir -p build
copy=$(mktemp -d build/mutants.XXXX)
trap 'rm -rf "$copy"' EXIT
cp -r operator serving-image tests pyproject.toml "$copy"
"$DEV/python.sh" dev/mutants "$tool" "$copy" "$@"
