#!/usr/bin/env bash
# Prints the path of a Prometheus: the machine's own, or one unpacked into the cache from Debian's package.
# It is not installed, because the package would also start it.
. "$(dirname "$0")/../../../dev/lib.sh"

if command -v prometheus >/dev/null; then
  command -v prometheus
  exit
fi

folder=$CACHE/prometheus-debian
unpack() {
  local temporary=$folder.$$
  mkdir -p "$temporary"
  cd "$temporary"
  apt-get download prometheus || { as_root apt-get update && apt-get download prometheus; }
  dpkg -x prometheus_*.deb .
  rm prometheus_*.deb
  rm -rf "$folder"
  mv -T "$temporary" "$folder"
}

if [[ ! -x $folder/usr/bin/prometheus ]]; then
  command -v apt-get >/dev/null || fail "the component tests need prometheus on the PATH; there is no apt-get to fetch it."
  step "unpack Debian's prometheus" unpack
fi
echo "$folder/usr/bin/prometheus"
