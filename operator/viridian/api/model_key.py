"""The identity of a ModelDeployment."""

ModelKey = tuple[str, str]
"""Namespace and name of a ModelDeployment."""
