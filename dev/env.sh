# shellcheck shell=bash
# For your own shell: `. dev/env.sh` points kubectl, helm and kind at the local cluster, with KUBECONFIG and PATH. It also
# exports what the scripts here read: CACHE, NODE, the two ports, and every version in versions.env.
DEV=$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")" && pwd)
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
