"""Checks of a folder on this machine: it is served, and asked as a candidate in the cluster is."""
