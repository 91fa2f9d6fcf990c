"""Reads the objects of a model, and says what is wrong with them. May import `cache` and `runtime`."""
