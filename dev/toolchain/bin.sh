#!/usr/bin/env bash
# Prints the folder that holds kube-apiserver, kube-controller-manager, etcd and kubectl: the control plane that the
# component tests start as plain processes. What is missing comes out of the released images where a container registry
# answers, and is built where none does.
. "$(dirname "$0")/../lib.sh"

# take IMAGE PATH: copies one program out of an image.
take() {
  local container
  docker image inspect "$1" >/dev/null 2>&1 || docker pull "$1"
  container=$(docker create "$1" none)
  docker cp "$container:$2" "$CACHE/bin/.${2##*/}"
  docker rm "$container"
  mv "$CACHE/bin/.${2##*/}" "$CACHE/bin/${2##*/}"
}

# kind's node image has a kubeadm, which knows the images that belong to a version of Kubernetes.
take_all() {
  local name binary
  take "$KIND_NODE_IMAGE" /usr/bin/kubectl
  for name in $(docker run --rm --entrypoint kubeadm "$KIND_NODE_IMAGE" config images list --kubernetes-version "v$KUBERNETES_VERSION"); do
    binary=${name##*/}
    binary=${binary%:*}
    case $binary in etcd | kube-apiserver | kube-controller-manager) take "$name" "/usr/local/bin/$binary" ;; esac
  done
  touch "$CACHE/bin/.from-images-$KUBERNETES_VERSION"
}

exec 9>"$CACHE/bin.lock"
flock 9 # two at once: the second waits and finds the work done
if [[ ! -e $CACHE/bin/.from-images-$KUBERNETES_VERSION ]]; then
  if compgen -G "$CACHE/go-bin/kubernetes-*/kube-apiserver" >/dev/null || ! engine_answers || [[ $("$DEV/images/way.sh") == long ]]; then
    "$DEV/toolchain/build-go.sh" etcd kubernetes
  else
    step "control plane $KUBERNETES_VERSION out of its images" take_all
  fi
fi
echo "$CACHE/bin"
