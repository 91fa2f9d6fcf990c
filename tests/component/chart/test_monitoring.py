"""A user's own Prometheus, which learns of the models' pods by what the chart brings."""

import asyncio
import base64
import gzip
import itertools
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.component.harness import chart
from tests.component.harness.binaries import tool
from tests.component.harness.control_plane import ControlPlane
from tests.component.harness.loopback import ENVIRONMENT
from tests.component.harness.pods import Pod, make_ready, wait_for_pods
from tests.component.harness.processes import start
from tests.component.harness.prometheus import PrometheusServer
from tests.component.harness.scripted_target import ScriptedPod, ScriptedTarget
from tests.ports import free_port
from tests.waiting import eventually
from tests.workloads.children import render

from viridian.api.names import LABEL_MODEL, LABEL_REVISION, Color
from viridian.api.spec import ModelDeploymentSpec
from viridian.metrics.connection import Connection
from viridian.metrics.prometheus import Prometheus as Reader
from viridian.metrics.prometheus import trusted
from viridian.workloads.owner import Owner
from viridian_shared.pod import ports

INTERVAL = timedelta(seconds=1)
# Somewhere in 127.0.0.0/8, so that two runs on one machine do not meet.
_addresses = itertools.count(secrets.randbelow(1 << 23) + (1 << 16))


class Model:
    """Serving pods as the operator makes them; what stands for their processes answers on loopback."""

    def __init__(self, control_plane: ControlPlane, namespace: str, exits: ExitStack) -> None:
        self.control_plane, self.namespace, self._exits = control_plane, namespace, exits
        self.pages: dict[str, ScriptedTarget] = {}

    def apply(self, replicas: int) -> list[Pod]:
        """The blue Deployment of the model `iris` with so many running pods, each with its own page."""
        spec = ModelDeploymentSpec.model_validate(
            {
                "model": {"version": "v1", "uri": "image:///models/iris/v1"},
                "traffic": {"parentRefs": [{"name": "public"}], "path": "/iris"},
            }
        )
        manifest = render(spec, Owner("iris", self.namespace, "uid")).deployments[Color.BLUE]
        del manifest["metadata"]["ownerReferences"]
        manifest["spec"]["replicas"] = replicas
        self.control_plane.apply(manifest)
        pods = wait_for_pods(self.control_plane.core, self.namespace, LABEL_MODEL, replicas)
        for pod in pods:
            if pod.metadata.uid not in self.pages:
                self._run(pod)
        return pods

    def bystander(self) -> None:
        """A pod of somebody else, whose port has the same name and number, and which shows the same series."""
        container = {"name": "main", "image": "main:1", "ports": [{"name": "metrics", "containerPort": ports.METRICS}]}
        body = {"metadata": {"name": "bystander"}, "spec": {"containers": [container]}}
        self._run(self.control_plane.core.create_namespaced_pod(self.namespace, body))

    def stranger(self, says: Pod) -> Pod:
        """A pod of the model `wine`, whose page says that it is another model's pod, which failed a thousand times."""
        container = {"name": "main", "image": "main:1", "ports": [{"name": "metrics", "containerPort": ports.METRICS}]}
        labels = {LABEL_MODEL: "wine", LABEL_REVISION: "wine-1"}
        body = {"metadata": {"name": "stranger", "labels": labels}, "spec": {"containers": [container]}}
        pod = self.control_plane.core.create_namespaced_pod(self.namespace, body)
        claimed = (says.metadata.labels or {})[LABEL_REVISION]
        page = self._page(pod)
        page.pod(self.namespace, "iris", claimed, says.metadata.uid).count(1000, outcome="error")
        return pod

    def counters(self, pod: Pod) -> ScriptedPod:
        """What a pod counts."""
        revision = (pod.metadata.labels or {}).get(LABEL_REVISION, "iris-9")
        return self.pages[pod.metadata.uid].pod(self.namespace, "iris", revision, pod.metadata.uid)

    def _run(self, pod: Pod) -> None:
        self._page(pod)
        self.counters(pod).count(0)

    def _page(self, pod: Pod) -> ScriptedTarget:
        address = "127.{}.{}.{}".format(*next(_addresses).to_bytes(3, "big"))
        page = ScriptedTarget(int(INTERVAL.total_seconds()), address, ports.METRICS)
        self._exits.callback(page.stop)
        self.pages[pod.metadata.uid] = page
        make_ready(self.control_plane.core, [pod], address)
        return page


@pytest.fixture
def model(control_plane: ControlPlane, namespace: str) -> Iterator[Model]:
    with ExitStack() as exits:
        yield Model(control_plane, namespace, exits)


@pytest.fixture
def account(control_plane: ControlPlane, namespace: str) -> Path:
    """The kubeconfig of a ServiceAccount with the rights that docs/reference/metrics.md names, in one namespace."""
    rbac = "rbac.authorization.k8s.io"
    metadata = {"name": "prometheus", "namespace": namespace}
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
    role = {"apiGroup": rbac, "kind": "Role", "name": "prometheus"}
    subject = {"kind": "ServiceAccount", **metadata}
    for manifest in (
        {"apiVersion": "v1", "kind": "ServiceAccount"},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "rules": [rule]},
        {"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "roleRef": role, "subjects": [subject]},
    ):
        control_plane.apply({**manifest, "metadata": metadata})
    return control_plane.kubeconfig_of("prometheus", namespace)


Configured = Callable[[ControlPlane, str, Path, Path], Any]


def plain_configuration(control_plane: ControlPlane, namespace: str, account: Path, folder: Path) -> dict[str, Any]:
    """The chart's file, as it is, but for where the API server is, and for a label that a user had before."""
    [told] = [manifest for manifest in chart.render(**_values(namespace)) if manifest["kind"] == "ConfigMap"]
    found: dict[str, Any] = yaml.safe_load(told["data"]["viridian-models.yaml"])
    [job] = found["scrape_configs"]
    job["kubernetes_sd_configs"][0]["kubeconfig_file"] = str(account)
    job["relabel_configs"].insert(0, {"target_label": "model", "replacement": "a word of the user's own"})
    return found


def generated_configuration(control_plane: ControlPlane, namespace: str, account: Path, folder: Path) -> dict[str, Any]:
    """What the Prometheus Operator makes of the chart's PodMonitor; all targets are given a label by the user."""
    token = folder / "token"
    token.write_text(yaml.safe_load(account.read_text())["users"][0]["user"]["token"])
    control_plane.apply(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "Prometheus",
            "metadata": {"name": "users", "namespace": namespace},
            "spec": {
                "podMonitorSelector": {"matchLabels": {"release": "users"}},
                "apiserverConfig": {
                    "host": control_plane.url,
                    "tlsConfig": {"caFile": str(control_plane.certificate)},
                    "authorization": {"credentialsFile": str(token)},
                },
                "scrapeClasses": [
                    {
                        "name": "all",
                        "default": True,
                        "relabelings": [{"targetLabel": "model", "replacement": "a word of the user's own"}],
                    }
                ],
            },
        }
    )
    monitor = {"monitoring__podMonitor__enabled": "true", "monitoring__podMonitor__labels__release": "users"}
    [told] = [m for m in chart.render(**_values(namespace), **monitor) if m["kind"] == "PodMonitor"]
    control_plane.apply(told)
    with _prometheus_operator(control_plane, namespace, folder / "prometheus-operator.log"):
        text = eventually(lambda: _generated(control_plane, namespace), "the operator to take the PodMonitor up")
    # As the operator's sidecar does in each pod of a Prometheus.
    for name, value in {"POD_NAME": "prometheus-users-0", "SHARD": "0"}.items():
        text = text.replace(f"$({name})", value)
    found: dict[str, Any] = yaml.safe_load(text)
    return found


@pytest.mark.usefixtures("monitoring_definitions")
@pytest.mark.parametrize("configured", [plain_configuration, generated_configuration], ids=["plain", "PodMonitor"])
def test_prometheus_sees_each_pod_once_and_as_long_as_it_runs(
    configured: Configured, model: Model, account: Path, tmp_path: Path
) -> None:
    control_plane, namespace = model.control_plane, model.namespace

    # given two pods of a model, and one that is nobody's model
    first, second = model.apply(replicas=2)
    model.bystander()
    model.counters(first).count(95)
    model.counters(second).count(3, outcome="error")

    # when a Prometheus is configured as the chart has it
    configuration = configured(control_plane, namespace, account, tmp_path)
    with PrometheusServer(tmp_path, configuration) as server:
        # then the operator reads what those two counted, under their own labels
        _wait_for_counts(server, namespace, {first.metadata.uid: 95, second.metadata.uid: 3})
        assert sorted(labels["pod"] for labels in _targets(server)) == sorted(p.metadata.name for p in (first, second))
        assert {labels["namespace"] for labels in _targets(server)} == {namespace}

        # when one is being deleted and still answers
        control_plane.reaper.spared.add(namespace)  # type: ignore[union-attr]
        control_plane.core.delete_namespaced_pod(first.metadata.name, namespace)
        model.counters(first).count(5)

        # then its last requests are counted, and those of its successor
        third = next(p for p in model.apply(replicas=2) if p.metadata.uid != second.metadata.uid)
        model.counters(third).count(1)
        counts = {first.metadata.uid: 100, second.metadata.uid: 3, third.metadata.uid: 1}
        _wait_for_counts(server, namespace, counts)

        # when that one is gone, and another has failed and stays as an object, then neither is a target
        control_plane.reaper.spared.discard(namespace)  # type: ignore[union-attr]
        control_plane.core.patch_namespaced_pod_status(second.metadata.name, namespace, {"status": {"phase": "Failed"}})
        left = [third.metadata.name]
        eventually(lambda: [labels["pod"] for labels in _targets(server)] == left, "two pods to be forgotten")


@pytest.mark.usefixtures("monitoring_definitions")
@pytest.mark.parametrize("configured", [plain_configuration, generated_configuration], ids=["plain", "PodMonitor"])
def test_no_pod_speaks_for_another(configured: Configured, model: Model, account: Path, tmp_path: Path) -> None:
    control_plane, namespace = model.control_plane, model.namespace

    # given a pod of a model, which was told of a prediction of an earlier revision
    [pod] = model.apply(replicas=1)
    model.counters(pod).count(95)
    labels = f'model_namespace="{namespace}",model="iris",revision="iris-0",pod_uid="{pod.metadata.uid}"'
    model.counters(pod).more.append(("viridian_feedback_total", f'{{{labels},result="correct"}} 7'))
    # and a pod of another model that says it is this one
    stranger = model.stranger(pod)

    # when a Prometheus is configured as the chart has it
    configuration = configured(control_plane, namespace, account, tmp_path)
    with PrometheusServer(tmp_path, configuration) as server:
        # then each is counted for itself
        _wait_for_counts(server, namespace, {stranger.metadata.uid: 1000}, "wine")
        _wait_for_counts(server, namespace, {pod.metadata.uid: 95})
        # and feedback for the revision that predicted
        [feedback] = server.query("viridian_feedback_total")
        assert (feedback["metric"]["revision"], feedback["value"][1]) == ("iris-0", "7")
        assert feedback["metric"]["pod_uid"] == pod.metadata.uid
        # and nothing is left of what they said themselves
        assert server.query('{__name__=~"viridian_.+",exported_model!=""}') == []


def test_a_page_with_too_many_samples_is_not_scraped(model: Model, account: Path, tmp_path: Path) -> None:
    # given two pods, of which one shows more series than a pod may
    first, second = model.apply(replicas=2)
    model.counters(first).count(95)
    many = (f'{{client="{number}"}} 1' for number in range(6000))
    model.counters(second).more += [("viridian_requests_total", text) for text in many]

    # when a Prometheus is configured as the chart has it, then it has the counters of the other one alone
    configuration = plain_configuration(model.control_plane, model.namespace, account, tmp_path)
    with PrometheusServer(tmp_path, configuration) as server:
        _wait_for_counts(server, model.namespace, {first.metadata.uid: 95})
        name = second.metadata.name
        eventually(lambda: "sample limit exceeded" in _errors(server)[name], "Prometheus to refuse the page")
        # A scrape that comes too late, on a busy machine, takes the counters of the other one away until the next.
        counted = "count(viridian_requests_total)"
        eventually(lambda: [each["value"][1] for each in server.query(counted)] == ["1"], "the other one's counters")


def _values(namespace: str) -> dict[str, str]:
    return {
        "watch__namespaces": f"{{{namespace}}}",
        "monitoring__namespace": namespace,
        "prometheus__scrapeInterval": "1s",
    }


@contextmanager
def _prometheus_operator(control_plane: ControlPlane, namespace: str, log: Path) -> Iterator[None]:
    server = start(
        "prometheus-operator",
        [
            tool("prometheus-operator"),
            f"--namespaces={namespace}",
            f"--web.listen-address=127.0.0.1:{free_port()}",
            "--kubelet-endpoints=false",
        ],
        log,
        {**ENVIRONMENT, "KUBECONFIG": str(control_plane.kubeconfig)},
    )
    try:
        yield
    finally:
        server.stop()


def _generated(control_plane: ControlPlane, namespace: str) -> str:
    found = control_plane.core.list_namespaced_secret(namespace, field_selector="metadata.name=prometheus-users").items
    assert found, "there is no configuration yet"
    text = gzip.decompress(base64.b64decode(found[0].data["prometheus.yaml.gz"])).decode()
    assert f"podMonitor/{namespace}/viridian-models" in text, text
    return text


def _wait_for_counts(server: PrometheusServer, namespace: str, answered: dict[str, int], model: str = "iris") -> None:
    """Wait until the operator's own query finds so many users' requests for these pods, by UID, and for no others."""
    key = (namespace, model)

    def look() -> bool:
        found = trusted(asyncio.run(Reader(Connection(server.url), INTERVAL).read([key], [])).get(key, {}))
        seen = {uid: pod.answered for pods in found.values() for uid, pod in pods.items()}
        assert seen == answered, f"Prometheus has {server.query('viridian_requests_total')}"
        return True

    eventually(look, f"the counts {answered}")


def _targets(server: PrometheusServer) -> list[dict[str, str]]:
    return [target["labels"] for target in _active(server)]


def _errors(server: PrometheusServer) -> dict[str, str]:
    return {target["labels"]["pod"]: target["lastError"] for target in _active(server)}


def _active(server: PrometheusServer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.get("/api/v1/targets?state=active")["data"]["activeTargets"]
    return found
