"""Who gets the cache of models: the fetch container of what has a digest, and nobody else."""

from dataclasses import replace
from typing import Any

import pytest
from tests.workloads.children import DEFAULTS

from viridian.api.revision import RevisionInput
from viridian.api.spec import ModelDeploymentSpec
from viridian.workloads.model_cache import ModelCache
from viridian.workloads.pod import build_pod_template

DIGEST = f"sha256:{'0a' * 32}"
ON_NODES = ModelCache(host_path="/srv/models", max_size="5Gi")


def pod(cache: ModelCache, **model: Any) -> dict[str, Any]:
    spec = ModelDeploymentSpec.model_validate({"model": {"version": "v1", **model}})
    defaults = replace(DEFAULTS, model_cache=cache)
    made: dict[str, Any] = build_pod_template("iris", "iris-1", RevisionInput.of(spec), defaults)["spec"]
    return made


@pytest.mark.parametrize(
    ("cache", "volume"),
    [
        (ON_NODES, {"hostPath": {"path": "/srv/models", "type": "Directory"}}),
        (ModelCache(claim="models"), {"persistentVolumeClaim": {"claimName": "models"}}),
    ],
    ids=["nodes", "claim"],
)
def test_only_the_fetch_container_mounts_it(cache: ModelCache, volume: dict[str, Any]) -> None:
    made = pod(cache, uri="s3://models/iris", digest=DIGEST)
    assert {"name": "model-cache", **volume} in made["volumes"]
    mounts = {c["name"]: c["volumeMounts"] for c in (*made["initContainers"], *made["containers"])}
    assert [name for name, all_of in mounts.items() if "model-cache" in str(all_of)] == ["fetch"]
    env = {each["name"]: each.get("value") for each in made["initContainers"][0]["env"]}
    assert env["VIRIDIAN_MODEL_CACHE"] == "/var/cache/viridian-models"
    assert env["VIRIDIAN_MODEL_CACHE_MAX_SIZE"] == cache.max_size


@pytest.mark.parametrize(
    ("cache", "model"),
    [
        (ModelCache(), {"uri": "s3://models/iris", "digest": DIGEST}),
        (ON_NODES, {"uri": f"hf://acme/iris@{'0a' * 20}"}),
        (ON_NODES, {"uri": "pvc://models/iris", "digest": DIGEST}),
    ],
    ids=["there is none", "no digest", "not fetched"],
)
def test_other_pods_have_none(cache: ModelCache, model: dict[str, Any]) -> None:
    assert "model-cache" not in str(pod(cache, **model))
