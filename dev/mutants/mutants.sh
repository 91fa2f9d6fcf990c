#!/usr/bin/env bash
# mutants.sh [MODULE…] (= make mutants): would the tests notice? Runs tests/rollout once for each small mistake that can be
# made in operator/viridian/rollout, or in these modules of it, and fails where one survives that docs/evidence/mutants.md
# does not explain. PACKAGE=guards in the environment: the same of operator/viridian/guards and tests/guards. It works on a
# copy of the tree as it was at the start.
. "$(dirname "$0")/../lib.sh"
cd "$DEV/.."

tool=$("$DEV/toolchain/beside.sh" requirements/mutants.txt)
mkdir -p build
copy=$(mktemp -d build/mutants.XXXX)
trap 'rm -rf "$copy"' EXIT
cp -r docs operator serving-image tests pyproject.toml "$copy"
"$DEV/python.sh" dev/mutants "$tool" "$copy" "$@"
