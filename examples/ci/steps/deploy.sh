#!/bin/sh
# deploy.sh NAME: applies the manifest and waits until this very version was promoted, or not. Its exit status is that of
# `kubectl viridian wait`: 0 promoted, 3 turned back, 4 expired, 5 superseded, 124 not ended within TIMEOUT.
set -eu
deploy=${DEPLOY:-deploy}
version=$(sed -n 's/^    version: *//p' "$deploy/version.yml")
kubectl apply --namespace "${NAMESPACE:-default}" --kustomize "$deploy"
exec kubectl viridian wait "$1" --version "$version" --timeout "${TIMEOUT:-3h}" --namespace "${NAMESPACE:-default}"
