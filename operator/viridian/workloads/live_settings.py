"""What running pods read again: a ConfigMap of each model that asks for settings, and a Secret of the user's."""

import json
from typing import Any

from viridian.api.spec import ModelDeploymentSpec
from viridian_shared.pod import paths

from .owner import Owner, build_metadata

_VOLUME = "live-settings"
_LOG = "log-secret"
_LIVE = ("cache", "rateLimit", "log")
"""Fields of `spec.serving` that need no new pods; the file has them as the manifest does."""


def live_settings_name(model: str) -> str:
    """Name of the ConfigMap; not the model's own, which people give to ConfigMaps of theirs."""
    return f"{model}-serving"


def asks_for_live_settings(spec: ModelDeploymentSpec) -> bool:
    """Whether there is anything to tell the pods."""
    return bool(_settings(spec))


def build_live_settings(owner: Owner, spec: ModelDeploymentSpec) -> dict[str, Any]:
    """The ConfigMap; where nothing is asked for any more it says so."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": build_metadata(owner, live_settings_name(owner.name)),
        "data": {paths.LIVE_SETTINGS_FILE: json.dumps(_settings(spec))},
    }


def build_live_settings_volumes(model: str) -> list[dict[str, Any]]:
    """The volumes of a pod. Optional: most models have neither, and may get some later.

    The Secret is the prediction log's. The kubelet reads it, and the operator needs no right to.
    """
    secret = {"secretName": f"{model}-log", "defaultMode": 0o440, "optional": True}
    return [
        {"name": _VOLUME, "configMap": {"name": live_settings_name(model), "optional": True}},
        {"name": _LOG, "secret": secret},
    ]


def build_live_settings_mounts() -> list[dict[str, Any]]:
    """The mounts of the container that reads them; folders, since a file's mount would never be updated."""
    return [
        {"name": _VOLUME, "mountPath": paths.LIVE_SETTINGS, "readOnly": True},
        {"name": _LOG, "mountPath": paths.LOG_SECRET, "readOnly": True},
    ]


def _settings(spec: ModelDeploymentSpec) -> dict[str, Any]:
    serving = spec.serving.manifest()
    settings = {name: serving[name] for name in _LIVE if serving.get(name) is not None}
    if spec.objectives is not None:
        settings["objectives"] = spec.objectives.manifest()
    return settings
