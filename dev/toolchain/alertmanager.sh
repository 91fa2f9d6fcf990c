#!/usr/bin/env bash
# Prints the path of Alertmanager, out of Debian's package. The package is unpacked into the cache and not installed:
# installing it would start a server.
. "$(dirname "$0")/../lib.sh"

fetch() {
  local temporary=$CACHE/alertmanager.$$
  mkdir -p "$temporary"
  cd "$temporary"
  apt-get download prometheus-alertmanager || { as_root apt-get update && apt-get download prometheus-alertmanager; }
  dpkg -x prometheus-alertmanager_*.deb .
  mv -T "$temporary" "$CACHE/alertmanager"
}

if [[ ! -d $CACHE/alertmanager ]]; then
  command -v apt-get >/dev/null || fail "the tests of alerts need Alertmanager from Debian's packages, and there is no apt-get here."
  step "Alertmanager" with_apt fetch
fi
# Debian's build reads its templates from there, and starts with nothing else.
templates=/usr/share/prometheus/alertmanager
[[ -e $templates ]] || { as_root mkdir -p "${templates%/*}" && as_root ln -sfn "$CACHE/alertmanager$templates" "$templates"; }
echo "$CACHE/alertmanager/usr/bin/prometheus-alertmanager"
