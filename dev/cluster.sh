#!/usr/bin/env bash
# cluster.sh short|long: makes sure that the kind cluster runs: leaves a healthy one alone, starts a stopped one,
# and makes anew what does not come back.
. "$(dirname "$0")/lib.sh"

healthy() { kubectl --request-timeout=3s wait --for=condition=Ready "node/$NODE" --timeout=2s >/dev/null 2>&1; }

await_healthy() {
  local waited
  for ((waited = 0; waited < $1; waited++)); do
    healthy && return
    sleep 1
  done
  return 1
}

start_stopped() {
  docker start "$NODE"
  await_healthy 60 || touch "$CACHE/cluster-is-broken"
}

configuration() {
  cat <<YAML
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
networking:
  # Our own node image brings its network plugin along, kind's has kindnet.
  disableDefaultCNI: $([[ $1 == long ]] && echo true || echo false)
nodes:
  - role: control-plane
    extraPortMappings:
      - {listenAddress: 127.0.0.1, hostPort: $GATEWAY_PORT, containerPort: $GATEWAY_NODE_PORT}
      - {listenAddress: 127.0.0.1, hostPort: $PROMETHEUS_PORT, containerPort: $PROMETHEUS_NODE_PORT}
YAML
}

create() {
  configuration "$way" >"$CACHE/kind.yaml"
  kind create cluster --name "$CLUSTER_NAME" --image "$image" --config "$CACHE/kind.yaml" --wait 3m
}

# A port that something else listens on: better said now than by Docker after minutes of building.
check_port() {
  local number=$1 variable=$2
  if (exec 3<>"/dev/tcp/127.0.0.1/$number") 2>/dev/null; then
    fail "port $number on 127.0.0.1 is taken; set $variable to a free one."
  fi
}

healthy && exit
state=$(docker ps --all --filter "name=^$NODE\$" --format '{{.State}}')
if [[ $state ]]; then
  rm -f "$CACHE/cluster-is-broken"
  step "start the cluster that is there ($state)" start_stopped
  [[ ! -e $CACHE/cluster-is-broken ]] && exit
  say "  it does not come back: it is made anew"
  step "remove the old cluster" kind delete cluster --name "$CLUSTER_NAME"
fi

check_port "$GATEWAY_PORT" VIRIDIAN_GATEWAY_PORT
check_port "$PROMETHEUS_PORT" VIRIDIAN_PROMETHEUS_PORT
way=$1
if [[ $way == short ]]; then image=$KIND_NODE_IMAGE; else image=$("$DEV/node-image.sh"); fi
step "create the cluster" create
