"""The chart's policies and its roles for people, before a real API server."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client
from tests.component.api.test_admission import merge
from tests.component.harness import chart
from tests.component.harness.control_plane import ControlPlane
from tests.component.harness.loopback import kubernetes_client
from tests.waiting import eventually

from viridian.api.names import GROUP, PLURAL, VERSION

GOOD = yaml.safe_load((Path(__file__).parent / "admission.yaml").read_text())["good"]
COMMAND, BY = f"{GROUP}/command", f"{GROUP}/command-by"
DIGEST = f"sha256:{'0a' * 32}"
POLICIES = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
LIMITS = {
    "requireApproval": True,
    "allowedImages": ["registry.example/ml/"],
    "allowedHosts": [
        "models.example",
        "models.example:8443",
        "s3://models",
        "hf://acme",
        "hf://tools/scorer",
        "oci://ghcr.io/acme",
    ],
    "allowedHostnames": ["models.example.com", "*.ml.example.com"],
    "allowedSecrets": ["reader"],
    "allowedTolerations": ["nvidia.com/gpu"],
    "allowedServiceAccounts": ["models"],
}


@pytest.fixture(scope="module", autouse=True)
def _roles(control_plane: ControlPlane, crd: str) -> Iterator[None]:
    """The chart's roles for people; nobody is bound to them by that. They go: another test installs the chart."""
    roles = [manifest for manifest in chart.render() if manifest["kind"] == "ClusterRole"]
    for manifest in roles:
        control_plane.apply(manifest)
    yield
    for manifest in roles:
        control_plane.delete(manifest)


@pytest.fixture
def installed(control_plane: ControlPlane, crd: str, namespace: str, tmp_path: Path) -> Iterator[Any]:
    """Applies the chart's policies for the test's namespace, with values; they go afterwards."""
    applied: list[dict[str, Any]] = []

    def install(**policies: Any) -> None:
        values = tmp_path / "values.yaml"
        values.write_text(yaml.safe_dump({"policies": policies, "watch": {"namespaces": [namespace]}}))
        text = chart.run("template", "viridian", chart.CHART, "--kube-version", "1.34.0", "--values", values)
        for manifest in yaml.safe_load_all(text):
            if manifest and manifest["kind"] in POLICIES:
                control_plane.apply(manifest)
                applied.append(manifest)

    yield install
    for manifest in applied:
        control_plane.delete(manifest)


class Person:
    """Somebody with the rights of one of the chart's roles, in one namespace."""

    def __init__(self, control_plane: ControlPlane, namespace: str, name: str, *roles: str) -> None:
        self.name, self._namespace = name, namespace
        rbac = client.RbacAuthorizationV1Api(control_plane.api)
        for role in roles:
            body = {
                "metadata": {"name": f"{name}-{role}"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}],
            }
            rbac.create_namespaced_role_binding(namespace, body)
        api = kubernetes_client(control_plane.kubeconfig)
        api.set_default_header("Impersonate-User", name)
        self._custom = client.CustomObjectsApi(api)

    def creates(self, **change: Any) -> str:
        """What the API server says to a new model; empty when it takes it."""
        manifest = merge(GOOD, change)
        return _answer(lambda: self._custom.create_namespaced_custom_object(*self._where, manifest, dry_run="All"))

    def patches(self, patch: dict[str, Any]) -> str:
        """What the API server says to a change of the model, which is made if it is taken."""
        return _answer(lambda: self._custom.patch_namespaced_custom_object(*self._where, "iris", patch))

    def commands(self, command: str, by: str | None = None) -> str:
        annotations = {COMMAND: command, **({BY: by} if by is not None else {})}
        return self.patches({"metadata": {"annotations": annotations}})

    @property
    def _where(self) -> tuple[str, str, str, str]:
        return GROUP, VERSION, self._namespace, PLURAL


def refuses(said: str, words: str) -> bool:
    assert words in said, said
    return True


def _answer(ask: Any) -> str:
    try:
        ask()
    except client.ApiException as error:
        return str(json.loads(error.body)["message"])
    return ""


@pytest.fixture
def iris(control_plane: ControlPlane, crd: str, namespace: str) -> None:
    """A model."""
    client.CustomObjectsApi(control_plane.api).create_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, GOOD)


@pytest.fixture
def editor(control_plane: ControlPlane, crd: str, namespace: str) -> Person:
    return Person(control_plane, namespace, "erin", "viridian-edit")


@pytest.fixture
def approver(control_plane: ControlPlane, crd: str, namespace: str) -> Person:
    return Person(control_plane, namespace, "amir", "viridian-approve")


def template(**parts: Any) -> dict[str, Any]:
    return {"spec": {"serving": {"podTemplate": parts}}}


def test_what_a_model_may_name_is_limited(installed: Any, editor: Person) -> None:
    # given limits of all kinds, in force
    installed(**LIMITS)
    named = {"traffic": {"hostnames": ["models.example.com"]}, "rollout": {"approval": "BeforePromotion"}}
    https = {"uri": "https://models.example/iris.onnx", "digest": DIGEST}
    eventually(lambda: refuses(editor.creates(), "requireApproval"), "the policy to hold")

    # then what keeps them is taken
    secret = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "reader", "key": "x"}}}
    for good in (
        {"spec": {"traffic": {"parentRefs": None, "path": None}}},
        {"spec": {"traffic": {"hostnames": ["a.ml.example.com", "models.example.com"]}}},
        {"spec": {"model": {**https, "credentialsSecretRef": {"name": "reader"}}}},
        {"spec": {"model": {**https, "uri": "https://models.example:8443/iris.onnx"}}},
        {"spec": {"model": {**https, "uri": "s3://models/iris/v1/"}}},
        {"spec": {"model": {**https, "uri": "s3://models/iris", "store": {"endpoint": "https://models.example:8443"}}}},
        {"spec": {"model": {"uri": f"hf://acme/iris@{'0a' * 20}"}}},
        {"spec": {"model": {"uri": f"hf://tools/scorer@{'0a' * 20}/onnx"}}},
        {"spec": {"model": {"uri": f"oci://ghcr.io/acme/iris@{DIGEST}"}}},
        {"spec": {"serving": {"image": "registry.example/ml/serving:1"}}},
        template(tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists"}], serviceAccountName="models"),
        template(imagePullSecrets=[{"name": "reader"}], env=[secret, {"name": "A", "value": "b"}]),
        {"spec": {"serving": {"log": {"sink": "OTLP", "endpoint": "https://models.example/v1/logs"}}}},
        {"spec": {"checks": {"replay": {"uri": "s3://models/logs/", "credentialsSecretRef": {"name": "reader"}}}}},
        {"spec": {"checks": {"replay": {"uri": "pvc://logs/iris/"}}}},
        {"spec": {"notify": [{"url": "https://models.example/"}, {"secretRef": {"name": "reader"}}]}},
    ):
        assert editor.creates(**merge({"spec": named}, good)) == ""

    # and what does not is refused with the field's name
    secret["valueFrom"] = {"secretKeyRef": {"name": "other", "key": "x"}}
    for bad, field in (
        ({"spec": {"rollout": {"approval": None}}}, "spec.rollout.approval"),
        ({"spec": {"traffic": {"hostnames": ["evil.example.com"]}}}, "spec.traffic.hostnames"),
        ({"spec": {"traffic": {"hostnames": None}}}, "spec.traffic.hostnames"),
        ({"spec": {"model": {**https, "uri": "https://evil.example/iris.onnx"}}}, "spec.model.uri"),
        ({"spec": {"model": {**https, "uri": "https://models.example:99/iris.onnx"}}}, "spec.model.uri"),
        ({"spec": {"model": {**https, "uri": "s3://models-of-others/iris"}}}, "spec.model.uri"),
        ({"spec": {"model": {**https, "uri": "gs://models/iris"}}}, "spec.model.uri"),
        ({"spec": {"model": {"uri": f"hf://tools/other@{'0a' * 20}"}}}, "spec.model.uri"),
        ({"spec": {"model": {"uri": f"oci://ghcr.io/others/iris@{DIGEST}"}}}, "spec.model.uri"),
        (
            {"spec": {"model": {**https, "uri": "mlflow://iris/3", "store": {"endpoint": "https://evil.example"}}}},
            "spec.model.store.endpoint",
        ),
        (
            {"spec": {"model": {**https, "uri": "s3://models/iris", "store": {"endpoint": "https://evil.example"}}}},
            "spec.model.store.endpoint",
        ),
        (template(env=[{"name": "AWS_ENDPOINT_URL", "value": "https://evil.example"}]), "spec.serving.podTemplate.env"),
        ({"spec": {"model": {**https, "credentialsSecretRef": {"name": "x"}}}}, "spec.model.credentialsSecretRef"),
        ({"spec": {"serving": {"image": "registry.example/mlx/serving:1"}}}, "spec.serving.image"),
        (template(tolerations=[{"operator": "Exists"}]), "podTemplate.tolerations"),
        (template(tolerations=[{"key": "x", "operator": "Exists"}]), "podTemplate.tolerations"),
        (template(serviceAccountName="admin"), "podTemplate.serviceAccountName"),
        (template(imagePullSecrets=[{"name": "x"}]), "podTemplate.imagePullSecrets"),
        (template(env=[secret]), "podTemplate.env"),
        ({"spec": {"checks": {"replay": {"uri": "s3://others/logs/"}}}}, "spec.checks.replay.uri"),
        (
            {"spec": {"checks": {"replay": {"uri": "s3://models/l/", "store": {"endpoint": "https://evil.example"}}}}},
            "spec.checks.replay.store.endpoint",
        ),
        (
            {"spec": {"checks": {"replay": {"uri": "s3://models/l/", "credentialsSecretRef": {"name": "x"}}}}},
            "spec.checks.replay.credentialsSecretRef",
        ),
        ({"spec": {"notify": [{"secretRef": {"name": "x"}}]}}, "spec.notify"),
        (
            {"spec": {"serving": {"log": {"sink": "OTLP", "endpoint": "https://evil.example/v1/logs"}}}},
            "spec.serving.log.endpoint",
        ),
    ):
        assert field in editor.creates(**merge({"spec": named}, bad)), (field, bad)


@pytest.mark.usefixtures("iris")
def test_who_gives_a_command_says_so_and_approving_needs_a_right_of_its_own(
    installed: Any, editor: Person, approver: Person
) -> None:
    # given the policy for commands, in force
    installed(commands=True)
    new = (f"pause/iris-1/{number}" for number in itertools.count())
    eventually(lambda: refuses(editor.commands(next(new)), "who gives it"), "the policy to hold")

    # then a command names its giver, and nobody else
    assert f"write {BY}=erin" in editor.commands("pause/iris-1/word", by="amir")
    assert editor.commands("pause/iris-1/word", by="erin") == ""
    # and that is not written over later
    assert "changes only with it" in editor.patches({"metadata": {"annotations": {BY: "amir"}}})
    # and what is no command needs no name
    assert editor.patches({"metadata": {"labels": {"team": "fraud"}}}) == ""

    # when the one who changes models approves or promotes, then it is refused, and by the other one it is taken
    for verb in ("approve", "promote"):
        assert f"needs the verb {verb}" in editor.commands(f"{verb}/iris-1/2", by="erin")
        assert approver.commands(f"{verb}/iris-1/2", by="amir") == ""
    # and that one changes no spec
    assert "needs the verb update" in approver.patches({"spec": {"serving": {"replicas": 5}}})
    assert editor.patches({"spec": {"serving": {"replicas": 5}}}) == ""


@pytest.mark.usefixtures("iris")
def test_a_model_from_before_the_limits_can_still_be_annotated(installed: Any, editor: Person) -> None:
    # given a model with a host of its own choice, and limits that came later
    installed(allowedHostnames=["models.example.com"])
    eventually(lambda: refuses(editor.patches(_replicas()), "allowedHostnames"), "the policy to hold")
    # then it can be annotated
    assert editor.commands("pause/iris-1/1") == ""


_numbers = itertools.count(2)


def _replicas() -> dict[str, Any]:
    """A change of the spec, each time another one."""
    return {"spec": {"serving": {"replicas": next(_numbers)}}}


def test_nothing_is_limited_by_default_and_the_clusters_roles_take_up_two_of_three() -> None:
    manifests = chart.render()
    assert not [manifest for manifest in manifests if manifest["kind"] in POLICIES]
    roles = {m["metadata"]["name"]: m for m in manifests if m["kind"] == "ClusterRole"}
    aggregated = {
        name: [label for label in role["metadata"]["labels"] if "aggregate-to" in label] for name, role in roles.items()
    }
    assert aggregated == {
        "viridian": [],
        "viridian-view": ["rbac.authorization.k8s.io/aggregate-to-view"],
        "viridian-edit": ["rbac.authorization.k8s.io/aggregate-to-edit"],
        "viridian-approve": [],
    }
    assert [m for m in chart.render(userRoles__create="false") if m["kind"] == "ClusterRole"] == [roles["viridian"]]
