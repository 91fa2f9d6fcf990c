"""JSON and the Open Inference Protocol to tensors and back; may import http1, metrics and settings."""
