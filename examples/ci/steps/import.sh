#!/bin/sh
# import.sh MODEL SAMPLE TARGET NAME VERSION: makes the folder NAME/VERSION out of what the training wrote. It fails where the
# ONNX file does not answer as the model does. --trusted runs the code in a pickle: it is our own.
set -eu
viridian import "$1" --sample "$2" --target "$3" --name "$4" --version "$5" --out "$4/$5" --trusted --no-check
