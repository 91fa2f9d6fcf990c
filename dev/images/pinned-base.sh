#!/usr/bin/env bash
# pinned-base.sh: prints BASE_IMAGE with its digest where images are built from a registry's, and nothing where it is made from
# packages. A tag means another image next month, so one without a digest is refused; UNPINNED_BASE=1 takes what the tag means
# today, which is right for images that stay on this machine, and prints nothing.
. "$(dirname "$0")/../lib.sh"

if [[ $("$DEV/images/way.sh") == long ]]; then exit; fi
if [[ $BASE_IMAGE_DIGEST ]]; then
  [[ $BASE_IMAGE_DIGEST =~ ^sha256:[0-9a-f]{64}$ ]] ||
    fail "BASE_IMAGE_DIGEST in dev/versions.env is \"$BASE_IMAGE_DIGEST\"; write sha256: and 64 hexadecimal digits."
  echo "$BASE_IMAGE@$BASE_IMAGE_DIGEST"
elif [[ ${UNPINNED_BASE:-} == 1 ]]; then
  say "  the base image is what $BASE_IMAGE means today (UNPINNED_BASE=1)"
else
  pulled=$(docker image inspect --format '{{with .RepoDigests}}{{index . 0}}{{end}}' "$BASE_IMAGE" 2>/dev/null) || pulled=
  fail "$BASE_IMAGE is pulled by its tag, which means another image next month. Write BASE_IMAGE_DIGEST=${pulled:+${pulled##*@}}" \
    "into dev/versions.env${pulled:+ to keep that of today} (docker buildx imagetools inspect $BASE_IMAGE prints the digest)," \
    "or set UNPINNED_BASE=1 for images that stay on this machine."
fi
