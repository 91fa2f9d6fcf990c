"""Benchmarks on the local cluster: each prints a table and writes build/bench-NAME.json."""
