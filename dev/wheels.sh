#!/usr/bin/env bash
# wheels.sh REQUIREMENTS: downloads the wheels of a hash-checked requirements file for the Python of our images
# (3.11 of Debian 12), and prints the folder. Images install them with `pip install --no-index --find-links`: pip inside
# a build would not know the certificates that this machine trusts.
. "$(dirname "$0")/lib.sh"

wheels=$CACHE/wheels/$(basename "$1" .txt)-$(hash_of "$1")

download() {
  local glibc platforms=()
  for glibc in $(seq 5 36); do platforms+=(--platform "manylinux_2_${glibc}_$(uname -m)"); done
  rm -rf "$wheels.tmp"
  "$CACHE/pip/bin/python" -m pip download --no-deps --require-hashes --only-binary=:all: --python-version 3.11 \
    --implementation cp --abi cp311 --abi abi3 --abi none "${platforms[@]}" \
    --dest "$wheels.tmp" --requirement "$1"
  mv -T "$wheels.tmp" "$wheels"
}

if [[ ! -d $wheels ]]; then
  mkdir -p "$CACHE/wheels"
  python3 -c 'import ensurepip' 2>/dev/null || install_packages python3 python3-venv
  [[ -d $CACHE/pip ]] || step "pip" python3 -m venv "$CACHE/pip"
  step "wheels of $(basename "$1")" download "$1"
fi
echo "$wheels"
