"""Finds what watches miss, by slow rounds over all objects. May import every room below it, but not `operator`."""
