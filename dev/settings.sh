# shellcheck shell=bash
# What the scripts here agree on: versions, ports, the cache, and the cluster that kubectl, helm and kind use. lib.sh reads it.
DEV=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
set -a
# shellcheck source=versions.env
. "$DEV/versions.env"
set +a
export CACHE=${VIRIDIAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/viridian}
export GATEWAY_PORT=${VIRIDIAN_GATEWAY_PORT:-$DEFAULT_GATEWAY_PORT}
export PROMETHEUS_PORT=${VIRIDIAN_PROMETHEUS_PORT:-$DEFAULT_PROMETHEUS_PORT}
export NODE=$CLUSTER_NAME-control-plane # the first node; the second, where there is one, is a worker
export KUBECONFIG=$CACHE/kubeconfig
case $PATH in
  "$CACHE/bin":*) ;;
  *) PATH=$CACHE/bin:$PATH:/usr/sbin:/sbin ;;
esac
