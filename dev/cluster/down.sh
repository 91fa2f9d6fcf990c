#!/usr/bin/env bash
# `make clean`: removes the cluster, and stops the Docker Engine if it was started here. What was built stays.
. "$(dirname "$0")/../lib.sh"

# An engine of ours that died may have left a stopped cluster behind, which only an engine can remove.
if ! engine_answers && [[ -s $CACHE/docker/dockerd.log ]]; then "$DEV/cluster/docker.sh"; fi
if engine_answers && [[ -x $CACHE/bin/kind ]]; then
  step "remove the cluster" kind delete cluster --name "$CLUSTER_NAME"
fi
"$DEV/cluster/docker.sh" stop
say "Kept for the next time: $(du -sh "$CACHE" | cut -f1) in $CACHE; \"rm -rf $CACHE\" removes that too."
