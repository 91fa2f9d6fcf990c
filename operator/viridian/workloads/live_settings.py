"""Settings that running pods read again: a ConfigMap of each model that asks for any, mounted as a folder."""

import json
from typing import Any

from viridian.api.serving import Serving

from .owner import Owner, build_metadata

_FILE = "serving.json"
_PATH = "/etc/viridian/serving"
_VOLUME = "live-settings"
_LIVE = ("cache", "rateLimit")
"""Fields of `spec.serving` that need no new pods; the file has them as the manifest does."""


def live_settings_name(model: str) -> str:
    """Name of the ConfigMap; not the model's own, which people give to ConfigMaps of theirs."""
    return f"{model}-serving"


def asks_for_live_settings(serving: Serving) -> bool:
    """Whether there is anything to tell the pods."""
    return bool(_settings(serving))


def build_live_settings(owner: Owner, serving: Serving) -> dict[str, Any]:
    """The ConfigMap; where nothing is asked for any more it says so."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": build_metadata(owner, live_settings_name(owner.name)),
        "data": {_FILE: json.dumps(_settings(serving))},
    }


def build_live_settings_volume(model: str) -> dict[str, Any]:
    """The volume of a pod. Optional: most models have no such settings, and may get some later."""
    return {"name": _VOLUME, "configMap": {"name": live_settings_name(model), "optional": True}}


def build_live_settings_mount() -> dict[str, Any]:
    """The mount of the container that reads them; a folder, since a file's mount would never be updated."""
    return {"name": _VOLUME, "mountPath": _PATH, "readOnly": True}


def _settings(serving: Serving) -> dict[str, Any]:
    manifest = serving.manifest()
    return {name: manifest[name] for name in _LIVE if manifest.get(name) is not None}
