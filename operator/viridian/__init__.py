"""Viridian: a Kubernetes operator that rolls out machine-learning models and takes bad ones back by itself."""
