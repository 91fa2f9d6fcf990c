#!/usr/bin/env bash
# compiled.sh [TREE]: the serving image's packages as the image has them, with their hot modules compiled, and prints the
# folder for PYTHONPATH. TREE is another checkout than this one. The folder lies in the cache and is keyed by the sources.
. "$(dirname "$0")/../lib.sh"
cd "${1:-$DEV/..}"

python=$("$DEV/toolchain/environment.sh" "$DEV/../requirements/dev.txt")
compiled=$CACHE/compiled/$(hash_of serving-image/viridian_serving operator/viridian_shared serving-image/compile.py "$DEV/../requirements/compile.txt")

compile() {
  rm -rf "$compiled.tmp"
  mkdir -p "$compiled.tmp"
  cp -R serving-image/viridian_serving operator/viridian_shared "$compiled.tmp"
  "$python" serving-image/compile.py "$compiled.tmp"
  rm -rf "$compiled.tmp/build"
  mv -T "$compiled.tmp" "$compiled"
  # The newest five are enough.
  find "$CACHE/compiled" -mindepth 1 -maxdepth 1 -name '????????????' -printf '%T@ %p\n' | sort -rn | tail -n +6 | cut -d' ' -f2- | xargs -rd '\n' rm -rf
}

if [[ ! -d $compiled ]]; then
  mkdir -p "$CACHE/compiled"
  exec 9>"$compiled.lock"
  flock 9 # two at once: the second waits and finds the work done
fi
if [[ ! -d $compiled ]]; then
  need gcc
  step "compile the serving image's hot modules" compile
fi
echo "$compiled"
