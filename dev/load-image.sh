#!/usr/bin/env bash
# load-image.sh IMAGE… : puts images of the Docker Engine into the cluster's node, unless they are there already.
. "$(dirname "$0")/lib.sh"

in_node() { docker exec "$NODE" ctr -n k8s.io images "$@"; }
load() { docker save "$1" | docker exec -i "$NODE" ctr -n k8s.io images import --digests -; }

for image in "$@"; do
  [[ $image == */*:* ]] || fail "\"$image\" needs a folder and a tag, as in viridian/operator:0123456789ab."
  [[ $(in_node ls -q)$'\n' == *"/$image"$'\n'* ]] || step "load $image into the cluster" load "$image"
done
