"""Why Kubernetes creates no more pods of a Deployment, and what to do about it."""

from collections.abc import Iterator

from viridian.kube.client import Manifest

from .spec_fields import field_of_account

_RESOURCES = "spec.serving.triton.resources and spec.serving.api.resources"
_WAYS_OUT = (
    ("must specify", _RESOURCES, "set them: a ResourceQuota of the namespace requires them"),
    ("per Container is", _RESOURCES, "keep within the LimitRange of the namespace"),
    ("per Pod is", _RESOURCES, "keep within the LimitRange of the namespace"),
    ("exceeded quota", "", "raise that ResourceQuota, or lower spec.serving.replicas or the resources"),
    ("violates PodSecurity", "", "the operator's pods meet the level restricted: look for a webhook that changes them"),
    ("webhook", "", "check what that webhook requires, and that it runs"),
)
"""What is found in a refusal, the field of the spec that it is about, and what to do. The first one counts."""


def refused_creation(deployment: Manifest | None) -> str:
    """Why no more pods of a Deployment are created, as a sentence; empty when they are, or none is wanted."""
    if deployment is None or not deployment["spec"].get("replicas", 1):
        return ""
    return next((_explained(words, deployment) for words in _refusals(deployment)), "")


def _refusals(deployment: Manifest) -> Iterator[str]:
    """Kubernetes' own words."""
    status, generation = deployment.get("status") or {}, deployment["metadata"].get("generation", 0)
    if status.get("observedGeneration", generation) < generation:
        return  # they speak of an earlier template or number
    for condition in status.get("conditions") or []:
        refuses_pods = condition["type"] == "ReplicaFailure" and condition["status"] == "True"
        # Where not even the ReplicaSet can be made, there is no other sign.
        refuses_all = condition["type"] == "Progressing" and condition.get("reason") == "ReplicaSetCreateError"
        if (refuses_pods and condition.get("reason") != "FailedDelete") or refuses_all:
            yield str(condition.get("message") or condition.get("reason", "")).strip()[:1024]


def _explained(words: str, deployment: Manifest) -> str:
    if field := field_of_account(words, deployment):
        return f"{field}: {words}; create that ServiceAccount, or name another one"
    for found, field, way_out in _WAYS_OUT:
        if found in words:
            return f"{field}: {words}; {way_out}" if field else f"{words}; {way_out}"
    return words
