#!/usr/bin/env bash
# environment.sh REQUIREMENTS: makes, on first use, an environment of Python with what a hash-checked requirements file
# lists, and prints its interpreter. It lies in the cache and is keyed by the list.
. "$(dirname "$0")/../lib.sh"

environment=$CACHE/python/$(hash_of "$1")

make_environment() {
  rm -rf "$environment.tmp"
  python3 -m venv "$environment.tmp"
  "$environment.tmp/bin/python" -m pip install --disable-pip-version-check --require-hashes --requirement "$1"
  # Scripts in bin/ carry the path of the environment in their first line; python -m does not care.
  mv -T "$environment.tmp" "$environment"
}

if [[ ! -d $environment ]]; then
  mkdir -p "$CACHE/python"
  exec 9>"$environment.lock"
  flock 9 # two at once: the second waits and finds the work done
fi
if [[ ! -d $environment ]]; then
  python3 -c 'import ensurepip' 2>/dev/null || install_packages python3 python3-venv
  step "Python packages of $(basename "$1")" make_environment "$1"
fi
echo "$environment/bin/python"
