"""One client for the Kubernetes API: dictionaries in and out, named errors; and who may write, by a Lease."""
