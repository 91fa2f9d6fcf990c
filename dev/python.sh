#!/usr/bin/env bash
# python.sh ARGUMENT…: Python with everything that development, tests and demonstration need, in an environment of our own
# that is made from requirements/dev.txt on first use.
. "$(dirname "$0")/lib.sh"

requirements=$DEV/../requirements/dev.txt
environment=$CACHE/python/$(hash_of "$requirements")

make_environment() {
  rm -rf "$environment.tmp"
  python3 -m venv "$environment.tmp"
  "$environment.tmp/bin/python" -m pip install --disable-pip-version-check --require-hashes --requirement "$requirements"
  # Scripts in bin/ carry the path of the environment in their first line; python -m does not care.
  mv -T "$environment.tmp" "$environment"
}

if [[ ! -d $environment ]]; then
  mkdir -p "$CACHE/python"
  python3 -c 'import ensurepip' 2>/dev/null || install_packages python3 python3-venv
  step "Python packages" make_environment
fi
cd "$DEV/.."
PYTHONPATH=operator:serving-image:. exec "$environment/bin/python" "$@"
