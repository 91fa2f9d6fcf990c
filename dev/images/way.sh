#!/usr/bin/env bash
# Prints `short` when the Docker Engine can pull from a container registry, else `long`, and says so in one line.
# It finds out by trying to pull the base image. "Pulling from" appears as soon as the registry has answered, "Digest:"
# when there was nothing left to pull. VIRIDIAN_WAY=short or =long skips the trial.
. "$(dirname "$0")/../lib.sh"

case ${VIRIDIAN_WAY:-} in
  short | long)
    echo "$VIRIDIAN_WAY"
    exit
    ;;
  ?*) fail "VIRIDIAN_WAY is \"$VIRIDIAN_WAY\"; set it to short or long." ;;
esac

answer=$(timeout 8 docker pull "$BASE_IMAGE" 2>&1) || true
if grep -qE 'Pulling from|Digest:' <<<"$answer"; then
  say "  a container registry answers: node image and base image come from there"
  echo short
else
  say "  no container registry answers: node image and base image are made from packages"
  echo long
fi
