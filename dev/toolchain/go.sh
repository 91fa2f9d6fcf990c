#!/usr/bin/env bash
# Prints the folder of a `go` that is new enough: the machine's own, or one fetched into the cache.
# Go's own distribution is also a module, so an old Go (Debian's) and the module proxy are enough to get the newest.
. "$(dirname "$0")/../lib.sh"

new_enough() {
  local version
  version=$("$1" env GOVERSION 2>/dev/null) && at_least "$GO_MINIMUM" "${version#go}"
}

if command -v go >/dev/null && GOTOOLCHAIN=local new_enough go; then
  dirname "$(command -v go)"
  exit
fi

case $(uname -m) in
  x86_64) arch=amd64 ;;
  aarch64) arch=arm64 ;;
  *) fail "there is no Go $GO_MINIMUM here, and none to fetch for $(uname -m); install one." ;;
esac
toolchain=$CACHE/go-$GO_VERSION-$arch

fetch() {
  local module=golang.org/toolchain@v0.0.1-go$GO_VERSION.linux-$arch temporary=$toolchain.$$
  GOTOOLCHAIN=local GOFLAGS=-modcacherw GOMODCACHE=$temporary go mod download "$module"
  chmod -R u+x "$temporary/$module/bin" "$temporary/$module/pkg/tool"
  mv -T "$temporary/$module" "$toolchain"
  rm -rf "$temporary"
}

if [[ ! -d $toolchain ]]; then
  need go=golang-go
  step "go $GO_VERSION" fetch
fi
echo "$toolchain/bin"
