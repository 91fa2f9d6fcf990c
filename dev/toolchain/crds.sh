#!/usr/bin/env bash
# Prints a folder with the CRDs of the Gateway API (experimental channel: Contour wants it), of Contour and of the
# Prometheus Operator, taken from their Go modules.
. "$(dirname "$0")/../lib.sh"

folder=$CACHE/crds-$GATEWAY_API_VERSION-$CONTOUR_VERSION-$PROMETHEUS_OPERATOR_VERSION

# module TOOL MODULE VERSION: where the sources of a module are that dev/toolchain/go/TOOL requires.
module() {
  local go_folder found
  go_folder=$("$DEV/toolchain/go.sh")
  found=$(cd "$DEV/toolchain/go/$1" && "$go_folder/go" mod download "$2" && "$go_folder/go" list -m -f '{{.Dir}}' "$2")
  [[ $found == *@v$3 ]] || fail "dev/toolchain/go/$1/go.mod does not require $2 v$3, as versions.env says; change one of them."
  echo "$found"
}

take() {
  local gateway_api contour prometheus_operator
  gateway_api=$(module gateway-api sigs.k8s.io/gateway-api "$GATEWAY_API_VERSION")
  contour=$(module contour github.com/projectcontour/contour "$CONTOUR_VERSION")
  prometheus_operator=$(module prometheus-operator github.com/prometheus-operator/prometheus-operator "$PROMETHEUS_OPERATOR_VERSION")
  rm -rf "$folder.tmp"
  mkdir -p "$folder.tmp"/{gateway-api,contour,prometheus-operator}
  cp "$gateway_api"/config/crd/experimental/gateway*.yaml "$folder.tmp/gateway-api"
  cp "$contour"/examples/contour/01-crds.yaml "$folder.tmp/contour"
  cp "$prometheus_operator"/example/prometheus-operator-crd/*.yaml "$folder.tmp/prometheus-operator"
  chmod -R u+w "$folder.tmp"
  mv -T "$folder.tmp" "$folder"
}

if [[ ! -d $folder ]]; then
  exec 9>"$folder.lock"
  flock 9 # two at once: the second waits and finds the work done
fi
[[ -d $folder ]] || step "CRDs from Go modules" take
echo "$folder"
