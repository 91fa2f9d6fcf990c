#!/usr/bin/env bash
# build-context.sh DEST [MODELS]: gathers in DEST everything that the Dockerfile copies. MODELS is a folder of models to
# bake in, as NAME/VERSION/model.onnx; they are found by image:///models/NAME/VERSION.
#
# The wheels are downloaded once, checked against their hashes, and kept in the cache. The same inputs give the same
# files, so that a tag made from a hash of DEST is stable. PYTHON names an interpreter that has pip.
set -euo pipefail

fail() {
  printf 'build-context: %s\n' "$*" >&2
  exit 1
}

[[ $# -eq 1 || $# -eq 2 ]] || fail "usage: build-context.sh DEST [MODELS]"
dest=$1
models=${2:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
requirements=$here/../requirements
cache=${VIRIDIAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/viridian}
python=${PYTHON:-python3}
lists=(serving-runtime.txt triton.txt)

[[ -z $models || -d $models ]] || fail "there is no folder $models; name a folder with NAME/VERSION/model.onnx in it."
"$python" -m pip --version >/dev/null 2>&1 || fail "$python has no pip; set PYTHON to an interpreter that has it."

# The wheels must fit the image's interpreter (Debian 12's), whatever runs this script.
target=(--python-version 3.11 --implementation cp --abi cp311 --abi abi3 --abi none)
for tag in manylinux_2_35 manylinux_2_34 manylinux_2_31 manylinux_2_28 manylinux_2_27 manylinux_2_24 manylinux2014; do
  target+=(--platform "${tag}_x86_64")
done

key=$(cd "$requirements" && cat "${lists[@]}" | sha256sum | cut -c1-12)
wheels=$cache/wheels/$key
if [[ ! -d $wheels ]]; then
  mkdir -p "$cache/wheels"
  partial=$(mktemp -d "$cache/wheels/partial.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  for list in "${lists[@]}"; do
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
      "${target[@]}" --dest "$partial" --requirement "$requirements/$list" >&2 ||
      fail "the wheels of requirements/$list could not be downloaded; pip says above why. Check that the package index is reachable."
  done
  mv -T "$partial" "$wheels" 2>/dev/null || [[ -d $wheels ]] || fail "cannot write to $cache; set VIRIDIAN_CACHE to a folder you own."
fi

rm -rf "${dest:?}/wheels" "${dest:?}/requirements" "${dest:?}/viridian_serving" "${dest:?}/models"
mkdir -p "$dest/wheels" "$dest/requirements" "$dest/models"
cp "$wheels"/*.whl "$dest/wheels/"
for list in "${lists[@]}"; do cp "$requirements/$list" "$dest/requirements/"; done
mkdir "$dest/viridian_serving"
cp "$here"/viridian_serving/*.py "$dest/viridian_serving/"
if [[ -n $models ]]; then cp -RL "$models/." "$dest/models/"; fi
