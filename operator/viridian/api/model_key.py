"""The identity of a ModelDeployment."""

import json

ModelKey = tuple[str, str]
"""Namespace and name of a ModelDeployment."""


def labels_of(key: ModelKey) -> str:
    """Return the labels by which PromQL chooses a model's series."""
    namespace, name = key
    return f"model_namespace={json.dumps(namespace)},model={json.dumps(name)}"
