"""One client for the Kubernetes API: dictionaries in and out, named errors, server-side apply."""
