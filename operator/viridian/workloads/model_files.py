"""How a model's files get into its pods: the volumes, who mounts them, and the settings of the fetch container."""

from typing import Any

from viridian.api.model import ModelSource
from viridian_shared import paths, variables
from viridian_shared.sizes import parse_size

_MODEL = "model"
_CREDENTIALS = "model-credentials"


def build_volumes(model: ModelSource) -> list[dict[str, Any]]:
    """The volumes of a pod beyond those of every pod; none for a model in the image."""
    volumes: list[dict[str, Any]] = []
    if model.claim is not None:
        volumes.append({"name": _MODEL, "persistentVolumeClaim": {"claimName": model.claim, "readOnly": True}})
    elif model.scheme == "https":
        # Room for an archive beside what it holds, and for the blocks of their folders.
        volumes.append({"name": _MODEL, "emptyDir": {"sizeLimit": f"{2 * parse_size(model.max_size) + 1}Mi"}})
    if model.credentials_secret_ref is not None:
        # Readable by the pod's group, and nobody else. Optional, because a missing Secret would keep the pod waiting
        # without a word; so the fetch container starts, and says what it misses.
        secret = {"secretName": model.credentials_secret_ref.name, "defaultMode": 0o440, "optional": True}
        volumes.append({"name": _CREDENTIALS, "secret": secret})
    return volumes


def build_mounts(model: ModelSource) -> list[dict[str, Any]]:
    """The mounts of the containers that serve."""
    return [] if model.scheme == "image" else [{"name": _MODEL, "mountPath": paths.MODEL, "readOnly": True}]


def build_fetch_mounts(model: ModelSource) -> list[dict[str, Any]]:
    """The mounts of the fetch container, which alone writes, and alone sees the credentials."""
    mounts = build_mounts(model)
    if model.scheme == "https":
        mounts = [{"name": _MODEL, "mountPath": paths.MODEL}]
    if model.credentials_secret_ref is not None:
        mounts.append({"name": _CREDENTIALS, "mountPath": paths.MODEL_CREDENTIALS, "readOnly": True})
    return mounts


def build_fetch_environment(model: ModelSource, digest: str) -> dict[str, str]:
    """What only the fetch container needs to know."""
    return {
        variables.MODEL_DIGEST: digest,
        variables.MODEL_MAX_SIZE: model.max_size,
        variables.FETCH_TIMEOUT: model.fetch_timeout,
    }
