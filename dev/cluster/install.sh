#!/usr/bin/env bash
# install.sh (= make install): the cluster, the images and, with Helm, the operator on it. Prints what product-images.sh does.
. "$(dirname "$0")/../lib.sh"

"$DEV/cluster/up.sh"
made=$(UNPINNED_BASE=1 "$DEV/images/product-images.sh") # they stay on this machine
eval "$made"
"$DEV/cluster/load-image.sh" "$OPERATOR_IMAGE" "$SERVING_IMAGE" "$DEMO_IMAGE"
# The scrape interval is that of manifests/prometheus.yaml. And nobody here waits ten minutes for what a sweep puts right.
step "install the operator" helm upgrade --install viridian "$DEV/../charts/viridian" \
  --namespace viridian-system --create-namespace --wait --timeout 3m \
  --set "image.repository=${OPERATOR_IMAGE%:*}" --set-string "image.tag=${OPERATOR_IMAGE##*:}" \
  --set "servingImage=$SERVING_IMAGE" \
  --set prometheus.url=http://prometheus.monitoring:9090 --set "prometheus.scrapeInterval=$SCRAPE_INTERVAL" \
  --set watch.sweepPeriod=30s --set drills.enabled=true
echo "$made"
