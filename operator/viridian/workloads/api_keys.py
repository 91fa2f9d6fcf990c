"""How the keys of clients get into a model's pods: a Secret that only the API's container mounts."""

from typing import Any, Final

from viridian.api.serving import Serving
from viridian_shared.pod import paths, variables

API_KEYS_VOLUME: Final = "api-keys"


def build_api_key_volumes(serving: Serving) -> list[dict[str, Any]]:
    """The volume, where the model asks for keys.

    It is not optional: without its Secret no pod starts, and the model's status has Kubernetes' own words for it.
    """
    if serving.api_keys_secret_ref is None:
        return []
    return [{"name": API_KEYS_VOLUME, "secret": {"secretName": serving.api_keys_secret_ref.name, "defaultMode": 0o440}}]


def build_api_key_mounts(serving: Serving) -> list[dict[str, Any]]:
    """The mount of the API's container."""
    return [
        {"name": volume["name"], "mountPath": paths.API_KEYS, "readOnly": True}
        for volume in build_api_key_volumes(serving)
    ]


def build_api_key_environment(serving: Serving) -> dict[str, str]:
    """What makes the API ask for keys."""
    return {} if serving.api_keys_secret_ref is None else {variables.API_KEYS_DIR: paths.API_KEYS}
