"""From a model to an ONNX file; in the worker's process."""
