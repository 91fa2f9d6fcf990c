#!/usr/bin/env bash
# Makes sure that the kind cluster runs: leaves a healthy one alone, starts a stopped one, and makes anew what does
# not come back.
. "$(dirname "$0")/lib.sh"

configuration() {
  cat <<YAML
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
networking:
  # Our own node image brings its network plugin along, kind's has kindnet.
  disableDefaultCNI: $([[ $way == long ]] && echo true || echo false)
nodes:
  - role: control-plane
    extraPortMappings:
      - {listenAddress: 127.0.0.1, hostPort: $GATEWAY_PORT, containerPort: $GATEWAY_NODE_PORT}
      - {listenAddress: 127.0.0.1, hostPort: $PROMETHEUS_PORT, containerPort: $PROMETHEUS_NODE_PORT}
YAML
}

create() {
  configuration >"$CACHE/kind.yaml"
  kind create cluster --name "$CLUSTER_NAME" --image "$image" --config "$CACHE/kind.yaml" --wait 3m
}

# Succeeds either way: a cluster that does not come back is no failure of this script.
start() {
  docker start "$NODE"
  kind export kubeconfig --name "$CLUSTER_NAME" || return 0
  local until=$((SECONDS + 60))
  while ((SECONDS < until)); do
    cluster_is_healthy && return
    sleep 1
  done
}

cluster_is_healthy && exit
state=$(docker ps --all --filter "name=^$NODE\$" --format '{{.State}}')
if [[ $state ]]; then
  step "start the cluster that is there ($state)" start
  cluster_is_healthy && exit
  say "  it does not come back, so it is made anew"
  step "remove the old cluster" kind delete cluster --name "$CLUSTER_NAME"
fi

way=$("$DEV/way.sh")
case $way in
  short) image=$KIND_NODE_IMAGE ;;
  long) image=$("$DEV/node-image.sh") ;;
esac
step "create the cluster" create
