"""How a model's files get into its pods: the volumes, who mounts them, and the settings of the fetch container."""

from typing import Any

from viridian.api.model import ModelSource
from viridian.api.model_store import CertificatesRef, ModelStore
from viridian_shared.pod import paths, variables
from viridian_shared.sizes import parse_size

_MODEL = "model"
_CREDENTIALS = "model-credentials"
_AUTHORITIES = "store-ca"


def build_volumes(model: ModelSource) -> list[dict[str, Any]]:
    """The volumes of a pod beyond those of every pod; none for a model in the image."""
    volumes: list[dict[str, Any]] = []
    if model.claim is not None:
        volumes.append({"name": _MODEL, "persistentVolumeClaim": {"claimName": model.claim, "readOnly": True}})
    elif model.mounted_image is not None:
        # What the API server would set; an address with a digest never means another image.
        volumes.append({"name": _MODEL, "image": {"reference": model.mounted_image, "pullPolicy": "IfNotPresent"}})
    elif model.is_fetched:
        # Room for an archive beside what it holds, and for the blocks of their folders.
        volumes.append({"name": _MODEL, "emptyDir": {"sizeLimit": f"{2 * parse_size(model.max_size) + 1}Mi"}})
    if model.credentials_secret_ref is not None:
        # Readable by the pod's group, and nobody else. Optional, because a missing Secret would keep the pod waiting
        # without a word; so the fetch container starts, and says what it misses.
        secret = {"secretName": model.credentials_secret_ref.name, "defaultMode": 0o440, "optional": True}
        volumes.append({"name": _CREDENTIALS, "secret": secret})
    if (authorities := _authorities(model)) is not None:
        items = [{"key": authorities.key, "path": paths.STORE_AUTHORITIES_FILE}]
        volumes.append(
            {"name": _AUTHORITIES, "configMap": {"name": authorities.name, "items": items, "optional": True}}
        )
    return volumes


def build_mounts(model: ModelSource) -> list[dict[str, Any]]:
    """The mounts of the containers that serve."""
    return [] if model.scheme == "image" else [{"name": _MODEL, "mountPath": paths.MODEL, "readOnly": True}]


def build_fetch_mounts(model: ModelSource) -> list[dict[str, Any]]:
    """The mounts of the fetch container, which alone writes, and alone sees the credentials."""
    mounts = build_mounts(model)
    if model.is_fetched:
        mounts = [{"name": _MODEL, "mountPath": paths.MODEL}]
    if model.credentials_secret_ref is not None:
        mounts.append({"name": _CREDENTIALS, "mountPath": paths.MODEL_CREDENTIALS, "readOnly": True})
    if _authorities(model) is not None:
        mounts.append({"name": _AUTHORITIES, "mountPath": paths.STORE_AUTHORITIES, "readOnly": True})
    return mounts


def build_identity_annotations(model: ModelSource) -> dict[str, str]:
    """What keeps the webhooks of clouds from giving the pod's identity to the containers that serve."""
    amazon = {"eks.amazonaws.com/skip-containers": "triton,api"}
    azure = {"azure.workload.identity/skip-containers": "triton;api"}
    # The files of a version in MLflow can be in either.
    return {"s3": amazon, "az": azure, "mlflow": amazon | azure}.get(model.scheme, {})


def build_fetch_environment(model: ModelSource) -> dict[str, str]:
    """What only the fetch container needs to know."""
    told = {variables.MODEL_MAX_SIZE: model.max_size, variables.FETCH_TIMEOUT: model.fetch_timeout}
    if model.digest is not None:
        told = {variables.MODEL_DIGEST: model.digest, **told}
    if model.store is not None:
        told |= _build_store_environment(model.store)
    return told


def _build_store_environment(store: ModelStore) -> dict[str, str]:
    told = {}
    if store.endpoint is not None:
        told[variables.STORE_ENDPOINT] = store.endpoint
    if store.region is not None:
        told[variables.STORE_REGION] = store.region
    if store.path_style is not None:
        told[variables.STORE_PATH_STYLE] = str(store.path_style).lower()
    if store.anonymous:
        told[variables.STORE_ANONYMOUS] = "true"
    if store.ca_config_map is not None:
        told[variables.STORE_CA] = f"{paths.STORE_AUTHORITIES}/{paths.STORE_AUTHORITIES_FILE}"
    return told


def _authorities(model: ModelSource) -> CertificatesRef | None:
    return None if model.store is None else model.store.ca_config_map
