"""The environment of a pod, and what changes while it runs; may import http1."""
