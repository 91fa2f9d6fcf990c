"""Drills: when one is due, whether it may run, what its next move is, and how it went."""
