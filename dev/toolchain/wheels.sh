#!/usr/bin/env bash
# wheels.sh REQUIREMENTS [PYTHON]: downloads the wheels of a hash-checked requirements file for the Python of our images
# (3.11 of Debian 12) or another, and prints the folder. Images install them with `pip install --no-index --find-links`:
# pip inside a build would not know the certificates that this machine trusts.
. "$(dirname "$0")/../lib.sh"

python=${2:-3.11}
tag=cp${python//./}
wheels=$CACHE/wheels/$(basename "$1" .txt)-$(hash_of "$1")
if [[ $tag != cp311 ]]; then wheels+=-$tag; fi

download() {
  local glibc platforms=()
  for glibc in $(seq 5 36); do platforms+=(--platform "manylinux_2_${glibc}_$(uname -m)"); done
  rm -rf "$wheels.tmp"
  "$CACHE/pip/bin/python" -m pip download --no-deps --require-hashes --only-binary=:all: --python-version "$python" \
    --implementation cp --abi "$tag" --abi abi3 --abi none "${platforms[@]}" \
    --dest "$wheels.tmp" --requirement "$1"
  mv -T "$wheels.tmp" "$wheels"
}

if [[ ! -d $wheels ]]; then
  mkdir -p "$CACHE/wheels"
  exec 9>"$wheels.lock"
  flock 9 # two at once: the second waits and finds the work done
fi
if [[ ! -d $wheels ]]; then
  python3 -c 'import ensurepip' 2>/dev/null || install_packages python3 python3-venv
  [[ -d $CACHE/pip ]] || step "pip" python3 -m venv "$CACHE/pip"
  step "wheels of $(basename "$1")" download "$1"
fi
echo "$wheels"
