#!/usr/bin/env bash
# beside.sh REQUIREMENTS: what a tool needs beside requirements/dev.txt, by a hash-checked list, in a folder for PYTHONPATH,
# which it prints. The folder lies in the cache and is keyed by the list.
. "$(dirname "$0")/../lib.sh"
cd "$DEV/.."

name=$(basename "$1" .txt)
folder=$CACHE/$name/$(hash_of "$1")

fetch() {
  rm -rf "$folder.tmp"
  "$DEV/python.sh" -m pip install --disable-pip-version-check --require-hashes --target "$folder.tmp" --requirement "$1"
  mv -T "$folder.tmp" "$folder"
}

if [[ ! -d $folder ]]; then
  mkdir -p "$CACHE/$name"
  exec 9>"$folder.lock"
  flock 9 # two at once: the second waits and finds the work done
fi
if [[ ! -d $folder ]]; then
  step "Python packages of $(basename "$1")" fetch "$1"
fi
echo "$folder"
