#!/usr/bin/env bash
# product-images.sh: builds what this repository makes (operator, serving image, demonstration) where it is missing, and
# prints OPERATOR_IMAGE=…, SERVING_IMAGE=… and DEMO_IMAGE=… for `eval`. SERVING_BASE in the environment names another base
# for the serving image, one with its own Triton: nvcr.io/nvidia/tritonserver:<release>-py3. MODEL_REQUIREMENTS is the
# requirements.txt of a model in a native format, whose packages are added. SBOM=1 also writes what both are made of into
# build/sbom. UNPINNED_BASE=1: see pinned-base.sh.
. "$(dirname "$0")/../lib.sh"
cd "$DEV/.."

# A base that is pulled is the one that was tried, whatever its tag means by now.
base=$("$DEV/images/pinned-base.sh")

operator=$(BUILD_ARG=${base:+BASE=$base} "$DEV/images/image.sh" viridian/operator operator/Dockerfile operator/viridian operator/viridian_shared requirements/operator.txt=requirements.txt \
  "$("$DEV/toolchain/wheels.sh" requirements/operator.txt)=wheels")

lists=(serving-runtime triton)
python=3.11
if [[ ${SERVING_BASE:-} ]]; then
  lists=(serving-runtime)
  python=$(docker run --rm --entrypoint /usr/bin/python3 "$SERVING_BASE" \
    -c 'import sys; print("%d.%d" % sys.version_info[:2])')
fi
parts=() files=()
for list in "${lists[@]}"; do
  files+=("requirements/$list.txt")
  wheels=$("$DEV/toolchain/wheels.sh" "requirements/$list.txt" "$python")
  parts+=("requirements/$list.txt=requirements/$list.txt" "$wheels=wheels/$list")
done
# What the image is compiled with is not in it, so no SBOM lists it.
parts+=("requirements/compile.txt=requirements/compile.txt" "$("$DEV/toolchain/wheels.sh" requirements/compile.txt "$python")=wheels/compile")
if [[ ${MODEL_REQUIREMENTS:-} ]]; then
  wheels=$("$DEV/toolchain/wheels.sh" "$MODEL_REQUIREMENTS" "$python")
  parts+=("$MODEL_REQUIREMENTS=requirements/model.txt" "$wheels=wheels/model")
fi
base=${SERVING_BASE:-$base}
arguments="${base:+BASE=$base} ${MODEL_REQUIREMENTS:+MODEL_REQUIREMENTS=requirements/model.txt}"
serving=$(BUILD_ARG=$arguments "$DEV/images/image.sh" viridian/serving serving-image/Dockerfile \
  serving-image/compile.py serving-image/viridian_serving operator/viridian_shared "${parts[@]}")

if [[ ${SBOM:-} ]]; then
  "$DEV/images/sbom.sh" operator "$operator" requirements/operator.txt
  "$DEV/images/sbom.sh" serving "$serving" "${files[@]}"
fi

models=$CACHE/demo/$(hash_of examples/digits/train.py requirements/dev.txt)
train() { "$DEV/python.sh" -m examples.digits.train --models "$models.tmp/models" --samples "$models.tmp/samples.json"; }
if [[ ! -d $models ]]; then
  rm -rf "$models.tmp"
  step "train the models of the demonstration" train
  mv -T "$models.tmp" "$models"
fi
demo=$(BUILD_ARG=SERVING_IMAGE=$serving "$DEV/images/image.sh" viridian/demo examples/digits/Dockerfile "$models/models")

echo "OPERATOR_IMAGE=$operator SERVING_IMAGE=$serving DEMO_IMAGE=$demo DEMO_SAMPLES=$models/samples.json"
