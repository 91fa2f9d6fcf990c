"""Calling the model: batches, deadlines, health, preprocessing; may import triton and everything below."""
