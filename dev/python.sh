#!/usr/bin/env bash
# python.sh ARGUMENT…: Python with everything that development, tests and demonstration need, from requirements/dev.txt; or
# with what $REQUIREMENTS lists. $SERVING is a folder with the serving image's packages in another form.
. "$(dirname "$0")/lib.sh"
cd "$DEV/.."

interpreter=$("$DEV/toolchain/environment.sh" "${REQUIREMENTS:-requirements/dev.txt}")
PYTHONPATH=operator:${SERVING:-serving-image}:. exec "$interpreter" "$@"
