"""Pure functions from a revision to the manifests of its children."""
