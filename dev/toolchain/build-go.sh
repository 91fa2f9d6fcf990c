#!/usr/bin/env bash
# build-go.sh TOOL…: builds the tools of dev/toolchain/go into the cache and links their binaries into $CACHE/bin.
# A build is keyed by what goes into it. An interrupted one leaves nothing behind but Go's own build cache,
# so the next run goes on where it stopped.
. "$(dirname "$0")/../lib.sh"

# The module that gives a tool its version, as go.mod has to name it.
required() {
  case $1 in
    kubernetes) echo "k8s.io/kubernetes v$KUBERNETES_VERSION" ;;
    etcd) echo "go.etcd.io/etcd/server/v3 v$ETCD_VERSION" ;;
    kind) echo "sigs.k8s.io/kind v$KIND_VERSION" ;;
    coredns) echo "github.com/coredns/coredns v$COREDNS_VERSION" ;;
    contour) echo "github.com/projectcontour/contour v$CONTOUR_VERSION" ;;
    helm) echo "helm.sh/helm/v3 v$HELM_VERSION" ;;
    prometheus) # the module of 3.16.0 is called 0.316.0
      # shellcheck disable=SC2046,SC2086 # split into numbers
      printf 'github.com/prometheus/prometheus v0.%d%02d.%d\n' ${PROMETHEUS_VERSION//./ }
      ;;
    prometheus-operator) echo "github.com/prometheus-operator/prometheus-operator v$PROMETHEUS_OPERATOR_VERSION" ;;
    prom-label-proxy) echo "github.com/prometheus-community/prom-label-proxy v$PROM_LABEL_PROXY_VERSION" ;;
    otel-collector) echo "go.opentelemetry.io/collector/otelcol v$OTEL_COLLECTOR_VERSION" ;;
    versitygw) echo "github.com/versity/versitygw v$VERSITYGW_VERSION" ;;
    kstatus) echo "sigs.k8s.io/cli-utils v$CLI_UTILS_VERSION" ;;
    pause) ;; # ours alone
    *) fail "there is no tool \"$1\" in dev/toolchain/go." ;;
  esac
}

# What the linker is told. Without a git version, Kubernetes calls itself v0.0.0 and kubeadm refuses to go on.
link_flags() {
  local at=k8s.io/component-base/version minor=${KUBERNETES_VERSION#*.}
  printf -- '-s -w'
  if [[ $1 == kubernetes ]]; then
    printf -- ' -X %s' "$at.gitVersion=v$KUBERNETES_VERSION" "$at.gitMajor=${KUBERNETES_VERSION%%.*}" \
      "$at.gitMinor=${minor%%.*}" "$at.gitTreeState=clean"
  elif [[ $1 == prometheus ]]; then
    printf -- ' -X %s' "github.com/prometheus/common/version.Version=$PROMETHEUS_VERSION"
  fi
}

# Of Prometheus' two dozen ways to discover targets those that are used here; the others bring a client for every cloud.
build_tags() { if [[ $1 == prometheus ]]; then echo remove_all_sd,enable_kubernetes_sd,enable_dns_sd; fi; }

compile() {
  local tool=$1 to=$2 what=tool out=$2/$1
  case $tool in
    coredns | kstatus | otel-collector | pause) what=. ;; # a main of our own; the others are the tools that go.mod names
    kubernetes | prometheus) out=$to/ ;; # several of them
  esac
  cd "$DEV/toolchain/go/$tool"
  CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS='-trimpath -buildvcs=false -mod=readonly' GOWORK=off \
    nice go build -tags "$(build_tags "$tool")" -ldflags "$(link_flags "$tool")" -o "$out" "$what"
}

for tool in "$@"; do
  need=$(required "$tool")
  [[ ! $need ]] || grep -qE "^(require)?\s+${need//./\\.}( |$)" "$DEV/toolchain/go/$tool/go.mod" ||
    fail "dev/toolchain/go/$tool/go.mod does not require $need, as versions.env says; change one of them."
  flags=$(link_flags "$tool")
  key=$({ hash_of "$DEV/toolchain/go/$tool"; echo "$flags$(build_tags "$tool")"; uname -m; } | sha256sum | cut -c1-12)
  built=$CACHE/go-bin/$tool-$key
  mkdir -p "$CACHE/go-bin"
  exec 9>"$CACHE/go-bin/$tool.lock"
  flock 9 # two makes at once: the second waits and finds the work done
  if [[ ! -d $built ]]; then
    go_folder=$("$DEV/toolchain/go.sh")
    PATH=$go_folder:$PATH
    rm -rf "$built.tmp"
    mkdir "$built.tmp"
    step "build $tool${need:+ ${need##* }}" compile "$tool" "$built.tmp"
    mv -T "$built.tmp" "$built"
  fi
  for binary in "$built"/*; do
    ln -sfn "$binary" "$CACHE/bin/$(basename "$binary")"
  done
  exec 9>&-
done
