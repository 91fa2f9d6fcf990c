"""Judges moving models by their metrics and rolls back. May import `routing` and the rooms below it."""
