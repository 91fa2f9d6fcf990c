#!/usr/bin/env bash
# The long way's base image: a minimal Debian made from packages, under the name that the Dockerfiles' FROM uses.
# With a container registry, `docker build` pulls that image itself and there is nothing to do.
. "$(dirname "$0")/../lib.sh"

docker image inspect "$BASE_IMAGE" >/dev/null 2>&1 && exit
[[ $("$DEV/images/way.sh") == long ]] || exit 0

make_base() {
  local mirror security root
  mirror=$(debian_mirror "$DEBIAN_SUITE")
  [[ $mirror ]] || fail "there is no container registry to pull $BASE_IMAGE from, and apt lists no mirror for Debian $DEBIAN_SUITE to make it from."
  root=$(mktemp -d "$CACHE/images/base.XXXXXX")
  # shellcheck disable=SC2064  # the folder of now
  trap "as_root rm -rf '$root'" EXIT # of the subshell that a step runs in
  as_root debootstrap --variant=minbase "$DEBIAN_SUITE" "$root" "$mirror"
  {
    echo "deb $mirror $DEBIAN_SUITE main"
    security=$(debian_mirror "$DEBIAN_SUITE-security")
    if [[ $security ]]; then echo "deb $security $DEBIAN_SUITE-security main"; fi
  } | as_root tee "$root/etc/apt/sources.list" >/dev/null
  # No documentation and translations, now and from every package installed later; no package files kept.
  printf 'path-exclude /usr/share/%s/*\n' doc man locale info lintian | as_root tee "$root/etc/dpkg/dpkg.cfg.d/slim" >/dev/null
  echo 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };' | as_root tee "$root/etc/apt/apt.conf.d/slim" >/dev/null
  as_root rm -rf "$root"/usr/share/{doc,man,locale,info,lintian}/* "$root"/var/{cache/apt,lib/apt/lists,log}/*
  as_root tar -C "$root" --numeric-owner -c . >"$tar.tmp"
  mv "$tar.tmp" "$tar"
}

key=$({ declare -f make_base; echo "$DEBIAN_SUITE"; uname -m; } | sha256sum | cut -c1-12)
tar=$CACHE/images/base-$key.tar
mkdir -p "$CACHE/images"
if [[ ! -f $tar ]]; then
  need debootstrap
  need_root "make the base image"
  step "base image from Debian's packages" make_base
fi
step "import the base image" docker import --change 'CMD ["bash"]' "$tar" "$BASE_IMAGE"
