"""How a ModelDeployment is told from all others."""

ModelKey = tuple[str, str]
"""Namespace and name of a ModelDeployment."""
