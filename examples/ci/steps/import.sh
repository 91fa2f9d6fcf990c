#!/bin/sh
# import.sh MODEL SAMPLE TARGET NAME VERSION [OPTION…]: makes the folder NAME/VERSION out of what the training wrote. It fails where
# the ONNX file does not answer as the model does. Further options are those of `viridian import`, such as --dtype zip=string.
# --trusted runs the code in a pickle: it is our own.
set -eu
model=$1 sample=$2 target=$3 name=$4 version=$5
shift 5
viridian import "$model" --sample "$sample" --target "$target" --name "$name" --version "$version" --out "$name/$version" \
  --trusted --no-check "$@"
