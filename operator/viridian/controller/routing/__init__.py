"""Reads and writes what carries the traffic. May import `children`, `cache` and `runtime`."""
