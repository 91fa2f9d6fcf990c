"""The folder in which the pods of all models keep for each other what they fetched, if whoever installs wants one."""

from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from viridian.api.base import ApiModel
from viridian.api.model import ModelSource
from viridian.api.objects import LABELS
from viridian_shared.pod import paths, variables
from viridian_shared.sizes import parse_size

CACHE_VOLUME: Final = "model-cache"


class ModelCache(ApiModel):
    """The chart's `serving.modelCache`."""

    host_path: Annotated[str, Field(pattern="^(/.+)?$")] = ""
    """A folder of each node."""
    claim: Annotated[str, Field(pattern=f"^({LABELS})?$")] = ""
    """A PersistentVolumeClaim of this name in each namespace that has models."""
    max_size: str = "50Gi"
    """What may be in it."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        parse_size(self.max_size)
        if self.host_path and self.claim:
            raise ValueError("hostPath and claim exclude each other: leave one empty")
        if ".." in self.host_path.split("/"):
            raise ValueError("hostPath leads upwards: write the folder's whole path")
        return self

    @property
    def volume(self) -> dict[str, Any] | None:
        """The volume, if there is one."""
        if self.host_path:
            # Not made here: a folder that the kubelet makes belongs to root, and no pod of ours could write to it.
            return {"name": CACHE_VOLUME, "hostPath": {"path": self.host_path, "type": "Directory"}}
        if self.claim:
            return {"name": CACHE_VOLUME, "persistentVolumeClaim": {"claimName": self.claim}}
        return None


def build_cache_volumes(cache: ModelCache, model: ModelSource) -> list[dict[str, Any]]:
    """The volume of a pod whose model can come from the cache: fetched, and known by its digest."""
    volume = cache.volume
    return [volume] if volume is not None and model.is_fetched and model.digest is not None else []


def build_cache_mounts(cache: ModelCache, model: ModelSource) -> list[dict[str, Any]]:
    """The mount of the fetch container; no other sees it."""
    return [{"name": volume["name"], "mountPath": paths.MODEL_CACHE} for volume in build_cache_volumes(cache, model)]


def build_cache_environment(cache: ModelCache, model: ModelSource) -> dict[str, str]:
    """What the fetch container needs to know of it."""
    if not build_cache_volumes(cache, model):
        return {}
    return {variables.MODEL_CACHE: paths.MODEL_CACHE, variables.MODEL_CACHE_MAX_SIZE: cache.max_size}
