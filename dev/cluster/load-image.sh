#!/usr/bin/env bash
# load-image.sh IMAGE… : puts images of the Docker Engine into the cluster's nodes, unless they are there already.
. "$(dirname "$0")/../lib.sh"

has() { [[ $(docker exec "$1" ctr -n k8s.io images ls -q)$'\n' == *"/$2"$'\n'* ]]; }
load() { docker save "$2" | docker exec -i "$1" ctr -n k8s.io images import --digests -; }

for image in "$@"; do
  [[ $image == */*:* ]] || fail "\"$image\" needs a folder and a tag, as in viridian/operator:0123456789ab."
  for node in $(cluster_nodes); do
    has "$node" "$image" || step "load $image into $node" load "$node" "$image"
  done
done
