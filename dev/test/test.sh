#!/usr/bin/env bash
# test.sh LANE…: runs lanes of tiers side by side; a lane is tiers with commas between them, one after the other.
. "$(dirname "$0")/../lib.sh"
cd "$DEV/.."
mkdir -p build
rm -f build/tests-*
"$DEV/python.sh" -c '' # what it takes to run Python at all, before anything is timed
exec python3 "$DEV/test/tiers.py" "$DEV/test/tier.sh" "$@"
