#!/usr/bin/env bash
# Prints a folder with the CRDs of the Gateway API (experimental channel: Contour wants it) and of Contour, taken
# from their Go modules.
. "$(dirname "$0")/lib.sh"

folder=$CACHE/crds-$GATEWAY_API_VERSION-$CONTOUR_VERSION

take() {
  local go_folder gateway_api contour
  go_folder=$("$DEV/go.sh")
  gateway_api=$(cd "$DEV/go/gateway-api" && "$go_folder/go" mod download && "$go_folder/go" list -m -f '{{.Dir}}' sigs.k8s.io/gateway-api)
  contour=$(cd "$DEV/go/contour" && "$go_folder/go" mod download github.com/projectcontour/contour && "$go_folder/go" list -m -f '{{.Dir}}' github.com/projectcontour/contour)
  [[ $gateway_api == *@v$GATEWAY_API_VERSION && $contour == *@v$CONTOUR_VERSION ]] || fail "the go.mod files of gateway-api and contour do not name the versions of versions.env."
  rm -rf "$folder.tmp"
  mkdir -p "$folder.tmp"/{gateway-api,contour}
  cp "$gateway_api"/config/crd/experimental/gateway*.yaml "$folder.tmp/gateway-api"
  cp "$contour"/examples/contour/01-crds.yaml "$folder.tmp/contour"
  chmod -R u+w "$folder.tmp"
  mv -T "$folder.tmp" "$folder"
}

[[ -d $folder ]] || step "CRDs from Go modules" take
echo "$folder"
