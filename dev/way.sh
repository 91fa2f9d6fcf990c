#!/usr/bin/env bash
# Prints `short` when the Docker Engine can pull from a container registry, else `long`, and says so in one line.
# It finds out by trying to pull the base image. "Pulling from" appears as soon as the registry has answered, "Digest:"
# when there was nothing left to pull. VIRIDIAN_WAY=short or =long skips the trial.
. "$(dirname "$0")/lib.sh"

way=${VIRIDIAN_WAY:-}
if [[ ! $way ]]; then
  answer=$(timeout 8 docker pull "$BASE_IMAGE" 2>&1) || true
  if grep -qE 'Pulling from|Digest:' <<<"$answer"; then way=short; else way=long; fi
fi
case $way in
  short) say "  a container registry answers: the node image and the base image are pulled" ;;
  long) say "  no container registry answers: the node image and the base image are built from packages" ;;
  *) fail "VIRIDIAN_WAY is \"$way\"; set it to short or long." ;;
esac
echo "$way"
