#!/usr/bin/env bash
# `make cluster`: a local cluster with a gateway and Prometheus, from whatever this machine has.
# On a healthy cluster it only looks.
. "$(dirname "$0")/../lib.sh"

free_gb() { df --output=avail -BG "$1" | tail -n 1 | tr -dc 0-9; }

# Better said now than by some build in ten minutes.
check_disk() {
  local needed=$DISK_GB_WARM folder
  compgen -G "$CACHE/images/viridian-node-*.tar" >/dev/null || needed=$DISK_GB_COLD
  for folder in "$CACHE" /var/lib; do # the cache, and where Docker keeps its images
    (($(free_gb "$folder") >= needed)) ||
      fail "the disk of $folder has $(free_gb "$folder") GB free and this needs $needed GB; free some, or set VIRIDIAN_CACHE to a folder on another disk."
  done
}

# port_of CONTAINER_PORT: where on this machine the cluster's node answers for it; empty without a cluster.
port_of() { docker port "$NODE" "$1" 2>/dev/null | sed -n 's/.*://p' || true; }

check_port() {
  local port=$1 container_port=$2 variable=$3 what=$4 now
  now=$(port_of "$container_port")
  if [[ $now && $now != "$port" ]]; then
    fail "the running cluster has $what on port $now, not $port; \"make clean\" first, or set $variable=$now."
  elif [[ ! $now ]] && listens 127.0.0.1 "$port"; then
    fail "port $port on 127.0.0.1, meant for $what, is taken; set $variable to a free one."
  elif [[ $now ]] && ! listens 127.0.0.1 "$port"; then
    step "start the cluster's node again: the engine forwards port $port no longer" docker restart "$NODE"
  fi
}

exec 8>"$CACHE/up.lock"
flock 8 # two at once: the second waits, and finds the work done

check_port "$GATEWAY_PORT" "$GATEWAY_NODE_PORT" VIRIDIAN_GATEWAY_PORT "the gateway"
check_port "$PROMETHEUS_PORT" "$PROMETHEUS_NODE_PORT" VIRIDIAN_PROMETHEUS_PORT Prometheus
cluster_is_healthy || check_disk

need curl update-ca-certificates=ca-certificates
"$DEV/cluster/docker.sh"
if ! cluster_is_healthy; then
  VIRIDIAN_WAY=$("$DEV/images/way.sh")
  export VIRIDIAN_WAY # asked once, then known
fi
"$DEV/toolchain/build-go.sh" kind helm
"$DEV/toolchain/bin.sh" >/dev/null
"$DEV/cluster/cluster.sh"
"$DEV/cluster/addons.sh"
say "The cluster is up: gateway on 127.0.0.1:$GATEWAY_PORT, Prometheus on 127.0.0.1:$PROMETHEUS_PORT; \". dev/env.sh\" for kubectl."
