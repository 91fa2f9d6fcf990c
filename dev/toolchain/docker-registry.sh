#!/usr/bin/env bash
# docker-registry.sh: fetches Debian's registry of images into the cache, and prints its program. It is not installed, which
# would make it a service of this machine.
. "$(dirname "$0")/../lib.sh"

folder=$CACHE/docker-registry

fetch() {
  rm -rf "$folder.tmp"
  mkdir "$folder.tmp"
  cd "$folder.tmp"
  apt-get download docker-registry || { as_root apt-get update && apt-get download docker-registry; }
  dpkg-deb --extract docker-registry_*.deb .
  mv -T usr/bin "$folder"
  cd /
  rm -r "$folder.tmp"
}

exec 9>"$folder.lock"
flock 9
if [[ ! -d $folder ]]; then
  command -v apt-get >/dev/null || fail "this needs Debian's docker-registry, and there is no apt-get here to get it."
  step "registry of images" with_apt fetch
fi
echo "$folder/docker-registry"
