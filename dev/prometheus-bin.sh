#!/usr/bin/env bash
# Prints the path of a prometheus binary for the component tests: Debian's package, unpacked into the cache, so that no
# service is installed on this machine.
. "$(dirname "$0")/lib.sh"

folder=$CACHE/prometheus
unpack() {
  rm -rf "$folder.tmp"
  mkdir "$folder.tmp"
  cd "$folder.tmp"
  apt-get download prometheus || { as_root apt-get update && apt-get download prometheus; }
  dpkg -x prometheus_*.deb .
  rm prometheus_*.deb
  mv -T "$folder.tmp" "$folder"
}

[[ -x $folder/usr/bin/prometheus ]] || step "prometheus from Debian's package" unpack
echo "$folder/usr/bin/prometheus"
