"""Whether the ONNX file answers as the original does, and how fast both are."""
