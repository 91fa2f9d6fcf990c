"""Finds what watches miss, by slow rounds over all objects. May import `guarding` and the rooms below it."""
