"""Why Kubernetes creates no more pods of a Deployment."""

from typing import Any

import pytest

from viridian.controller.children.refusals import refused_creation


def deployment(*conditions: dict[str, Any], account: str = "", **status: Any) -> dict[str, Any]:
    pods = {"serviceAccountName": account} if account else {}
    return {
        "metadata": {"generation": 3},
        "spec": {"replicas": 2, "template": {"spec": pods}},
        "status": {"observedGeneration": 3, "conditions": list(conditions), **status},
    }


def failure(message: str, reason: str = "FailedCreate", status: str = "True") -> dict[str, Any]:
    return {"type": "ReplicaFailure", "status": status, "reason": reason, "message": message}


QUOTA = 'pods "iris-blue-x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=5, limited: pods=5'
RAISE = "raise that ResourceQuota, or lower spec.serving.replicas or the resources"
UNLIMITED = 'pods "iris-blue-x" is forbidden: failed quota: few: must specify limits.cpu for: api,triton'
RANGE = 'pods "iris-blue-x" is forbidden: maximum cpu usage per Container is 1, but limit is 2'
LEVEL = 'pods "iris-blue-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'
DENIED = 'admission webhook "policy.example.com" denied the request: label team is missing'
AWAY = 'failed calling webhook "policy.example.com": no endpoints available for service "policy"'
MISSING = 'pods "iris-blue-x" is forbidden: error looking up service account ml/{0}: serviceaccount "{0}" not found'
RESOURCES = "spec.serving.triton.resources and spec.serving.api.resources"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (QUOTA, f"{QUOTA}; {RAISE}"),
        (UNLIMITED, f"{RESOURCES}: {UNLIMITED}; set them: a ResourceQuota of the namespace requires them"),
        (RANGE, f"{RESOURCES}: {RANGE}; keep within the LimitRange of the namespace"),
        (
            LEVEL,
            f"{LEVEL}; the operator's pods meet the level restricted: look for a webhook that changes them",
        ),
        (DENIED, f"{DENIED}; check what that webhook requires, and that it runs"),
        (AWAY, f"{AWAY}; check what that webhook requires, and that it runs"),
        (
            MISSING.format("robot"),
            f"spec.serving.podTemplate.serviceAccountName: {MISSING.format('robot')}; create that ServiceAccount, or"
            " name another one",
        ),
        # This one the spec does not name: the namespace is new, or somebody has deleted its own.
        (MISSING.format("default"), MISSING.format("default")),
        ("something new", "something new"),
    ],
)
def test_a_refusal_is_told_in_kubernetes_words_with_the_field_and_a_way_out(words: str, told: str) -> None:
    assert refused_creation(deployment(failure(words), account="robot")) == told


def test_a_replica_set_that_cannot_be_made_is_told_too() -> None:
    words = {"reason": "ReplicaSetCreateError", "message": QUOTA}
    assert refused_creation(deployment({"type": "Progressing", "status": "False", **words})) == f"{QUOTA}; {RAISE}"


@pytest.mark.parametrize(
    "live",
    [
        pytest.param(None, id="no Deployment"),
        pytest.param(deployment(), id="no conditions"),
        pytest.param(deployment(failure(QUOTA, status="False")), id="over"),
        pytest.param(deployment(failure("webhook", reason="FailedDelete")), id="pods that cannot be deleted"),
        pytest.param(deployment(failure(QUOTA), observedGeneration=2), id="of an earlier template"),
        pytest.param({**deployment(failure(QUOTA)), "spec": {"replicas": 0}}, id="none is wanted"),
        pytest.param(deployment({"type": "Progressing", "status": "True", "reason": "NewReplicaSet"}), id="it goes on"),
    ],
)
def test_a_deployment_that_gets_its_pods(live: dict[str, Any] | None) -> None:
    assert refused_creation(live) == ""
