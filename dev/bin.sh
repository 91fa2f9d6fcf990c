#!/usr/bin/env bash
# Prints the folder that holds kube-apiserver, kube-controller-manager, etcd and kubectl: the control plane that the
# component tests start as plain processes. Builds what is missing.
. "$(dirname "$0")/lib.sh"

"$DEV/build-go.sh" etcd kubernetes
echo "$CACHE/bin"
