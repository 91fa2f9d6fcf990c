"""Viridian: a Kubernetes operator that rolls out machine-learning models and rolls bad ones back automatically."""
