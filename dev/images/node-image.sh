#!/usr/bin/env bash
# Builds the kind node image of the long way and prints its name: the control plane's images first, because the node
# image carries them.
. "$(dirname "$0")/../lib.sh"

"$DEV/toolchain/build-go.sh" etcd kubernetes coredns pause
bin=$CACHE/bin

# control_plane_image NAME: the image for one line of `kubeadm config images list`.
control_plane_image() {
  local binary=${1##*/}
  binary=${binary%:*}
  local target=static
  case $binary in coredns | pause | kube-proxy) target=$binary ;; esac
  TARGET=$target "$DEV/images/image.sh" "viridian/$binary" "$DEV/images/control-plane/Dockerfile" "$bin/$binary=bin/$binary"
}

save_images() {
  local name image
  for name in "${names[@]}"; do
    image=$(control_plane_image "$name")
    docker tag "$image" "$name"
  done
  docker save -o "$tar.tmp" "${names[@]}"
  rm -f "$CACHE"/images/control-plane-????????????.tar # older ones
  mv "$tar.tmp" "$tar"
}

mapfile -t names < <("$bin/kubeadm" config images list --kubernetes-version "v$KUBERNETES_VERSION")
key=$(hash_of "$DEV/images/control-plane" "$bin"/{kube-apiserver,kube-controller-manager,kube-scheduler,kube-proxy,etcd,coredns,pause})
tar=$CACHE/images/control-plane-$key.tar
mkdir -p "$CACHE/images"
[[ -f $tar ]] || step "images of the control plane" save_images

BUILD_ARG=CONTAINERD_SUITE=$CONTAINERD_SUITE "$DEV/images/image.sh" viridian/node "$DEV/images/node/Dockerfile" "$DEV/images/node/files" \
  "$bin/kubelet=bin/kubelet" "$bin/kubeadm=bin/kubeadm" "$bin/kubectl=bin/kubectl" "$tar=images.tar"
