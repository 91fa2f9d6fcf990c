"""The original model, in a process of its own."""
