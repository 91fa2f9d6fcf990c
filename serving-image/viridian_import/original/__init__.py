"""The original model, in a separate process."""
