"""The page as the chart brings it: its process with the rights of its ServiceAccount, before a real API server."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.component.harness import chart
from tests.component.harness.binaries import REPOSITORY, binary
from tests.component.harness.control_plane import ControlPlane
from tests.component.harness.loopback import ENVIRONMENT
from tests.component.harness.processes import start
from tests.component.harness.prometheus import Prometheus
from tests.ports import free_port
from tests.waiting import DEADLINE, eventually

HOST, USER = "viridian.example.com", {"X-Forwarded-User": "ada"}
ENABLED = {"page__enabled": "true", "page__hosts": f"{{{HOST}}}"}
PROXY = {r"page.proxy[0].podSelector.matchLabels.app": "proxy"}
MODEL_POLICY = {
    "networkPolicy__enabled": "true",
    "watch__namespaces": "{ml}",
    r"networkPolicy.gateway[0].podSelector.matchLabels.app": "gateway",
    r"networkPolicy.prometheus[0].podSelector.matchLabels.app": "prometheus",
}


def of_page(**values: str) -> list[dict[str, Any]]:
    return [m for m in chart.render(**ENABLED, **values) if m["metadata"]["name"] == "viridian-page"]


def test_the_page_is_off_by_default() -> None:
    assert [m for m in chart.render() if "page" in m["metadata"]["name"]] == []


def test_a_page_without_a_host_is_refused() -> None:
    with pytest.raises(chart.HelmError, match="/page/hosts"):
        chart.render(page__enabled="true")


@pytest.mark.parametrize(
    ("values", "kinds"),
    [({}, {"ClusterRole", "ClusterRoleBinding"}), ({"watch__namespaces": "{ml}"}, {"Role", "RoleBinding"})],
)
def test_the_page_may_read_models_and_nothing_else(values: dict[str, str], kinds: set[str]) -> None:
    # when
    found = {m["kind"]: m for m in of_page(**values)}
    # then
    assert found.keys() == {"ServiceAccount", "Service", "Deployment"} | kinds
    [role] = [m for kind, m in found.items() if kind in {"Role", "ClusterRole"}]
    assert role["rules"] == [
        {"apiGroups": ["viridian.dev"], "resources": ["modeldeployments"], "verbs": ["get", "list", "watch"]}
    ]


def test_what_selects_operators_selects_no_page() -> None:
    rendered = chart.render(**ENABLED)
    [deployment] = [m for m in rendered if m["kind"] == "Deployment" and m["metadata"]["name"] == "viridian-page"]
    labels = deployment["spec"]["template"]["metadata"]["labels"].items()
    selectors = {
        (m["kind"], m["metadata"]["name"]): m["spec"]["selector"].get("matchLabels", m["spec"]["selector"])
        for m in rendered
        if m["kind"] in {"Deployment", "Service", "PodDisruptionBudget"}
    }
    assert {name for name, selector in selectors.items() if selector.items() <= labels} == {
        ("Deployment", "viridian-page"),
        ("Service", "viridian-page"),
    }


def test_with_policies_only_the_proxy_reaches_the_page() -> None:
    [policy] = [m for m in of_page(**MODEL_POLICY, **PROXY) if m["kind"] == "NetworkPolicy"]
    assert policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "viridian-page"
    assert policy["spec"]["ingress"] == [
        {"ports": [{"protocol": "TCP", "port": 8082}], "from": [{"podSelector": {"matchLabels": {"app": "proxy"}}}]}
    ]
    with pytest.raises(chart.HelmError, match=r"page\.proxy: with networkPolicy\.enabled, name the pods of the proxy"):
        of_page(**MODEL_POLICY)


class Page:
    """The page's process, as the proxy reaches it."""

    def __init__(self, port: int, kubeconfig: Path, control_plane: ControlPlane, namespace: str) -> None:
        self.port, self.kubeconfig, self.control_plane, self.namespace = port, kubeconfig, control_plane, namespace

    def ask(self, path: str, method: str = "GET", host: str = HOST, **headers: str) -> tuple[int, Any]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method, headers=headers)
        request.add_header("Host", host)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=DEADLINE) as answer:
                text = answer.read().decode()
                return answer.status, json.loads(text) if answer.headers.get_content_subtype() == "json" else text
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def keys(self) -> list[str]:
        answer = self.ask("/api/models", **USER)[1]
        assert answer["trouble"] == "", answer["trouble"]
        return [row["key"] for row in answer["models"]]

    def apply(self, name: str) -> None:
        spec = {"model": {"version": "v1", "uri": f"image:///models/{name}"}}
        head = {"apiVersion": "viridian.dev/v1alpha1", "kind": "ModelDeployment"}
        self.control_plane.apply({**head, "metadata": {"name": name, "namespace": self.namespace}, "spec": spec})


@pytest.fixture
def page(
    control_plane: ControlPlane, crd: str, prometheus: Prometheus, namespace: str, tmp_path: Path
) -> Iterator[Page]:
    """The chart's objects for this one namespace, and the process of its Deployment with their rights."""
    manifests = of_page(watch__namespaces=f"{{{namespace}}}", prometheus__url=prometheus.url)
    for manifest in manifests:
        if manifest["kind"] in {"ServiceAccount", "Role", "RoleBinding"}:
            manifest["metadata"]["namespace"] = namespace
            for subject in manifest.get("subjects", []):
                subject["namespace"] = namespace
            control_plane.apply(manifest)
    [deployment] = [m for m in manifests if m["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    kubeconfig, port = control_plane.kubeconfig_of("viridian-page", namespace), free_port()
    environment = {
        **ENVIRONMENT,
        **{variable["name"]: variable["value"] for variable in container["env"]},
        "KUBECONFIG": str(kubeconfig),
        "PYTHONPATH": str(REPOSITORY / "operator"),
        "VIRIDIAN_PAGE_PORT": str(port),
    }
    command = [sys.executable, *container["command"][1:]]
    server = start("page", command, tmp_path / "page.log", environment)
    made = Page(port, kubeconfig, control_plane, namespace)
    try:
        server.wait_until(lambda: _answers(made))
        yield made
    finally:
        server.stop()


def _answers(page: Page) -> bool:
    try:
        return page.ask("/healthz", host="10.0.0.1:8082") == (200, "ok\n")
    except (TimeoutError, OSError):
        return False


def test_everybody_whom_the_proxy_lets_in_sees_the_models_and_what_becomes_of_them(page: Page) -> None:
    # given
    page.apply("iris")
    # then
    eventually(lambda: page.keys() == [f"{page.namespace}/iris"], "the model to be shown")
    status, html = page.ask("/", **USER)
    assert status == 200
    assert "<title>Models" in html
    status, shown = page.ask(f"/api/models/{page.namespace}/iris", **USER)
    assert (status, shown["name"]) == (200, "iris")
    status, traffic = page.ask(f"/api/models/{page.namespace}/iris/traffic", **USER)
    assert (status, traffic["requests"]) == (200, {})
    # when another one is applied, and the first deleted
    page.apply("wine")
    place = ("viridian.dev", "v1alpha1", page.namespace, "modeldeployments", "iris")
    page.control_plane.custom.delete_namespaced_custom_object(*place)
    # then the page follows
    eventually(lambda: page.keys() == [f"{page.namespace}/wine"], "the page to follow")


def test_who_did_not_come_by_the_proxy_is_refused(page: Page) -> None:
    status, answer = page.ask("/api/models", host="evil.example.com", **USER)
    assert status == 403
    assert "name it in the chart value page.hosts" in answer["error"]
    status, answer = page.ask("/api/models")
    assert status == 401
    assert "X-Forwarded-User" in answer["error"]


def test_nobody_can_change_anything(page: Page) -> None:
    # given
    page.apply("iris")
    eventually(page.keys, "the model to be shown")
    # then the page refuses commands
    origin = {"Origin": f"https://{HOST}"}
    status, answer = page.ask(f"/api/models/{page.namespace}/iris/abort", "POST", **USER, **origin)
    assert (status, answer["error"]) == (405, "this page only shows: give commands with kubectl viridian")
    assert page.ask("/api/models", **USER)[1]["actions"] is False
    # and so does the API server, of whoever has its rights
    kubectl = [binary("kubectl"), f"--kubeconfig={page.kubeconfig}", f"--namespace={page.namespace}"]
    for command in (
        ["annotate", "mdep", "iris", "a=b"],
        ["delete", "mdep", "iris"],
        ["get", "secrets"],
        ["get", "pods"],
    ):
        done = subprocess.run([*kubectl, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "Forbidden" in done.stderr
