#!/usr/bin/env bash
# python.sh ARGUMENT…: Python with everything that development, tests and demonstration need, from requirements/dev.txt.
. "$(dirname "$0")/lib.sh"
cd "$DEV/.."

interpreter=$("$DEV/toolchain/environment.sh" requirements/dev.txt)
PYTHONPATH=operator:serving-image:. exec "$interpreter" "$@"
