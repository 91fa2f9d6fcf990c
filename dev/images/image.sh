#!/usr/bin/env bash
# image.sh NAME DOCKERFILE PATH[=AS]… : builds an image when it is not there yet, and prints NAME:TAG.
# The build context is made of the PATHs, each under its own last name or AS. The tag is a hash of Dockerfile and
# context, so an unchanged image is never built twice. It is also kept as a tar file in the cache, for an engine
# that lost its images. TARGET in the environment names a stage of the Dockerfile, BUILD_ARG sets ARGs: NAME=VALUE, by spaces.
. "$(dirname "$0")/../lib.sh"

name=$1 dockerfile=$2
shift 2
# Where PATH=AS goes in the context: AS, or the last part of PATH.
place() { if [[ $1 == *=* ]]; then echo "${1##*=}"; else basename "$1"; fi; }
tag=$({
  hash_of "$dockerfile"
  echo "${TARGET:-} ${BUILD_ARG:-}"
  for item in "$@"; do echo "$(place "$item") $(hash_of "${item%=*}")"; done
} | sha256sum | cut -c1-12)
image=$name:$tag
tar=$CACHE/images/${name//\//-}-$tag.tar
mkdir -p "$CACHE/images"

load() { docker load -i "$tar" && touch "$tar"; }

build() {
  local context item arguments=()
  for item in ${BUILD_ARG:-}; do arguments+=(--build-arg "$item"); done
  context=$(mktemp -d "$CACHE/images/context.XXXXXX")
  # shellcheck disable=SC2064  # the folder of now
  trap "rm -rf '$context'" EXIT # of the subshell that a step runs in
  for item in "$@"; do
    mkdir -p "$(dirname "$context/$(place "$item")")"
    cp -RL "${item%=*}" "$context/$(place "$item")"
  done
  find "$context" -name __pycache__ -prune -exec rm -rf {} +
  chmod -R u=rwX,go=rX "$context" # whatever the umask of the checkout, a container's user can read it
  # The network of the host, because apt needs names resolved; the base image as it is here, whoever made it.
  docker build --network host --file "$dockerfile" ${TARGET:+--target "$TARGET"} \
    "${arguments[@]}" --tag "$image" "$context"
  docker save -o "$tar.tmp" "$image"
  mv "$tar.tmp" "$tar"
  # The newest five of a name are enough: siblings that differ in an ARG, and not every build of a long day.
  find "$CACHE/images" -name "${name//\//-}-????????????.tar" -printf '%T@ %p\n' | sort -rn | tail -n +6 | cut -d' ' -f2- | xargs -rd '\n' rm -f
}

if ! docker image inspect "$image" >/dev/null 2>&1; then
  if [[ -f $tar ]]; then
    step "load image $image" load
  else
    "$DEV/images/base-image.sh"
    step "build image $image" build "$@"
  fi
fi
echo "$image"
