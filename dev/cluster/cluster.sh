#!/usr/bin/env bash
# Makes sure that the kind cluster runs: leaves a healthy one alone, starts a stopped one, and makes anew what does
# not come back. VIRIDIAN_NODES=2 makes one with a second node, for what only shows when a node goes.
. "$(dirname "$0")/../lib.sh"

# The network plugin of our own node image gives every node's pods the same addresses. So the second node gets a range
# of its own, and each node a route to the other's pods. (kindnet, the plugin of kind's image, does both by itself.)
services=10.96.0.0/16
first_pods=10.244.0.0/24
second_pods=10.244.1.0/24
own_plugin() { [[ $way == long ]]; }

configuration() {
  cat <<YAML
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
featureGates: {ImageVolume: true} # as it is by default from Kubernetes 1.35 on
networking:
  # Our own node image brings its network plugin along, kind's has kindnet.
  disableDefaultCNI: $(own_plugin && echo true || echo false)
  serviceSubnet: $services
nodes:
  - role: control-plane
    extraPortMappings:
      - {listenAddress: 127.0.0.1, hostPort: $GATEWAY_PORT, containerPort: $GATEWAY_NODE_PORT}
      - {listenAddress: 127.0.0.1, hostPort: $PROMETHEUS_PORT, containerPort: $PROMETHEUS_NODE_PORT}
YAML
  if ((nodes > 1)); then
    cat <<YAML
    # Models run here too, as they do in a cluster of one node.
    kubeadmConfigPatches:
      - |
        kind: InitConfiguration
        nodeRegistration: {taints: []}
  - role: worker
YAML
    if own_plugin; then
      cat <<YAML
    extraMounts:
      - {hostPath: $CACHE/second-node.conflist, containerPath: $plugin_file, readOnly: true}
YAML
    fi
  fi
}

create() {
  configuration >"$CACHE/kind.yaml"
  sed "s|$first_pods|$second_pods|" "$DEV/images/node/files$plugin_file" >"$CACHE/second-node.conflist"
  kind create cluster --name "$CLUSTER_NAME" --image "$image" --config "$CACHE/kind.yaml" --wait 3m
  connect
  kubectl wait --for=condition=Ready nodes --all --timeout=60s
}

address_of() { docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$1"; }

# The nodes' routes to one another's pods, and rules that a node which was stopped has forgotten. An address of a Service
# that kube-proxy does not know yet, or any more, is refused: else the packets leave the cluster, and a stranger answers.
connect() {
  local node chain worker=$CLUSTER_NAME-worker
  for node in $(cluster_nodes); do
    for chain in FORWARD OUTPUT; do
      docker exec "$node" iptables --append "$chain" --destination "$services" --jump REJECT
    done
  done
  if own_plugin && [[ $(cluster_nodes) == *"$worker"* ]]; then
    docker exec "$NODE" ip route replace "$second_pods" via "$(address_of "$worker")"
    docker exec "$worker" ip route replace "$first_pods" via "$(address_of "$NODE")"
  fi
}

# Succeeds either way: a cluster that does not come back is no failure of this script.
start() {
  local node
  for node in $(cluster_nodes); do docker start "$node"; done
  connect
  kind export kubeconfig --name "$CLUSTER_NAME" || return 0
  local until=$((SECONDS + 60))
  while ((SECONDS < until)); do
    cluster_is_healthy && return
    sleep 1
  done
}

nodes=${VIRIDIAN_NODES:-1}
[[ $nodes == [12] ]] || fail "VIRIDIAN_NODES is $nodes; the cluster has 1 node or 2."
if cluster_is_healthy; then
  there=$(cluster_nodes | wc -l)
  if [[ ${VIRIDIAN_NODES:-} && $there != "$nodes" ]]; then
    fail "the running cluster has $there node(s), not $nodes; \"make clean\" first, or leave VIRIDIAN_NODES unset."
  fi
  exit
fi
way=$("$DEV/images/way.sh")
plugin_file=/etc/cni/net.d/10-node.conflist
state=$(docker ps --all --filter "name=^$NODE\$" --format '{{.State}}')
if [[ $state ]]; then
  step "start the cluster that is there ($state)" start
  cluster_is_healthy && exit
  say "  it does not come back, so it is made anew"
  step "remove the old cluster" kind delete cluster --name "$CLUSTER_NAME"
fi

case $way in
  short) image=$KIND_NODE_IMAGE ;;
  long) image=$("$DEV/images/node-image.sh") ;;
esac
step "create the cluster" create
