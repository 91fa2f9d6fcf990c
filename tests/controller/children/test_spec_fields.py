"""Which field of the spec keeps a container from being made."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.controller.pod_manifests import container, pod

from viridian.controller.children.pods import read_pod
from viridian.controller.children.spec_fields import field_of_mount

NOW = datetime(2026, 1, 1, tzinfo=UTC)
IMAGE = "registry.example.com/iris:1.0"


def refers(name: str, kind: str, target: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "valueFrom": {kind: {"name": target, "key": "k", **more}}}


ENV = [
    {"name": "VIRIDIAN_MODEL", "value": "iris"},
    {"name": "VIRIDIAN_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
    refers("VIRIDIAN_FEEDBACK_KEY", "secretKeyRef", "iris-feedback", optional=True),
    refers("TOKEN", "secretKeyRef", "token"),
    refers("PROXY", "configMapKeyRef", "proxy"),
    refers("NO_PROXY", "configMapKeyRef", "proxy"),
]


@pytest.mark.parametrize(
    ("name", "message", "field"),
    [
        ("api", 'secret "token" not found', "spec.serving.podTemplate.env (TOKEN)"),
        ("api", "couldn't find key k in Secret ml/token", "spec.serving.podTemplate.env (TOKEN)"),
        ("api", 'configmap "proxy" not found', "spec.serving.podTemplate.env (PROXY, NO_PROXY)"),
        ("fetch", 'secret "token" not found', "spec.serving.podTemplate.env (TOKEN)"),
        ("api", 'secret "iris-feedback" not found', "container api"),
        ("api", 'secret "another" not found', "container api"),
        ("api", "container has runAsNonRoot and image will run as root", "container api"),
        ("istio-proxy", 'secret "token" not found', "container istio-proxy"),
    ],
)
def test_a_secret_or_config_map_that_a_container_lacks_is_told_with_its_variables(
    name: str, message: str, field: str
) -> None:
    # given a pod with variables of the user's, one of which also an injected container has
    waiting = container(name, waiting={"reason": "CreateContainerConfigError", "message": message})
    statuses = {"initContainerStatuses" if name == "fetch" else "containerStatuses": [waiting]}
    env = {"env": ENV}
    spec = {"initContainers": [{"name": "fetch", **env}], "containers": [{"name": "triton"}, {"name": "api", **env}]}
    # when
    read = read_pod(pod() | {"status": statuses, "spec": spec}, NOW)
    # then
    assert read.trouble == f"{field}: CreateContainerConfigError for {IMAGE}: {message}"


MODEL = f"ghcr.io/acme/iris@sha256:{64 * '0'}"


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (f'failed to pull and unpack image "{MODEL}": not found', "spec.model.uri"),
        (
            f'failed to pull image "{MODEL}": 401 Unauthorized',
            "spec.model.uri and spec.serving.podTemplate.imagePullSecrets",
        ),
    ],
)
def test_the_image_of_a_volume_is_told_as_the_model_s(message: str, field: str) -> None:
    # given a pod that mounts its model as an image
    waiting = container("fetch", waiting={"reason": "ErrImagePull", "message": message})
    spec = {"volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "model", "image": {"reference": MODEL}}]}
    # when that cannot be pulled, then it does not pass for the image of the container, which can
    manifest = pod() | {"status": {"initContainerStatuses": [waiting]}, "spec": spec}
    assert read_pod(manifest, NOW).trouble == f"{field}: ErrImagePull for {MODEL}: {message}"
    # when the container's own image cannot be pulled, then it is that
    waiting["state"]["waiting"]["message"] = f'failed to pull image "{IMAGE}": not found'
    assert read_pod(manifest, NOW).trouble.startswith(f"spec.serving.image: ErrImagePull for {IMAGE}: ")


@pytest.mark.parametrize(
    ("message", "secrets"),
    [
        ("not found", False),
        ("no such host", False),
        ("401 Unauthorized", True),
        ("pull access denied, repository does not exist or may require authorization", True),
        ("403 Forbidden", True),
        ("no basic auth credentials", True),
    ],
)
def test_an_image_that_the_registry_keeps_is_told_with_the_field_of_the_secrets(message: str, secrets: bool) -> None:
    waiting = container(waiting={"reason": "ErrImagePull", "message": message})
    field = "spec.serving.image" + (" and spec.serving.podTemplate.imagePullSecrets" if secrets else "")
    assert read_pod(pod(waiting), NOW).trouble == f"{field}: ErrImagePull for {IMAGE}: {message}"


CLAIM = {"name": "model", "persistentVolumeClaim": {"claimName": "models"}}
TMP = {"name": "tmp", "emptyDir": {}}


@pytest.mark.parametrize(
    ("message", "volumes", "field"),
    [
        ('Multi-Attach error for volume "pvc-1"', [CLAIM, TMP], "spec.model.uri"),
        ('MountVolume.SetUp failed for volume "model" : no such export', [CLAIM, TMP], "spec.model.uri"),
        ('MountVolume.SetUp failed for volume "tmp" : disk full', [CLAIM, TMP], ""),
        (
            'MountVolume.SetUp failed for volume "api-keys" : secret "keys" not found',
            [CLAIM, {"name": "api-keys", "secret": {"secretName": "keys"}}],
            "spec.serving.apiKeysSecretRef",
        ),
        (
            'MountVolume.SetUp failed for volume "check-files" : configmap "golden" not found',
            [TMP, {"name": "check-files", "configMap": {"name": "golden"}}],
            "spec.checks",
        ),
        ("timed out waiting for the condition", [TMP], ""),
        ("timed out waiting for the condition", [], ""),
    ],
)
def test_a_volume_that_cannot_be_mounted_is_told_with_its_field(
    message: str, volumes: list[dict[str, Any]], field: str
) -> None:
    assert field_of_mount(message, {"spec": {"volumes": volumes}}) == field
