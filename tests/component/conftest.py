"""Fixtures of the component tests; `tests/component/harness` has what they are made of."""

import functools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client
from tests.component.harness.binaries import REPOSITORY, gateway_api_crds
from tests.component.harness.control_plane import ControlPlane
from tests.component.harness.prometheus import Prometheus
from tests.component.harness.stage import Stage, stage_in
from tests.component.harness.waiting import eventually


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything below this folder is a component test, whether it says so or not."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.component)


@pytest.fixture(scope="session")
def logs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the servers; after a failure their logs are kept in build/component-logs."""
    folder = tmp_path_factory.mktemp("component")
    yield folder
    if request.session.testsfailed:
        kept = REPOSITORY / "build" / "component-logs" / str(os.getpid())
        for log in folder.rglob("*.log"):
            target = kept / log.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(log, target)


@pytest.fixture(scope="session")
def control_plane(logs: Path) -> Iterator[ControlPlane]:
    """A real etcd, kube-apiserver and kube-controller-manager."""
    folder = logs / "control-plane"
    folder.mkdir()
    running = ControlPlane(folder)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def crd(control_plane: ControlPlane) -> str:
    """The committed CustomResourceDefinition, established; the value is its name."""
    manifest = yaml.safe_load((REPOSITORY / "crds" / "viridian.dev_modeldeployments.yaml").read_text())
    return _install(control_plane, [manifest])[0]


@pytest.fixture(scope="session")
def gateway_api(control_plane: ControlPlane) -> list[str]:
    """The CustomResourceDefinitions of the Gateway API, established; the value is their names."""
    files = sorted(gateway_api_crds().glob("gateway.networking.k8s.io_*.yaml"))
    return _install(control_plane, [yaml.safe_load(file.read_text()) for file in files])


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A namespace of the test's own, gone afterwards."""
    with control_plane.fresh_namespace() as name:
        yield name


@pytest.fixture(scope="session")
def _prometheus(logs: Path) -> Iterator[Prometheus]:
    folder = logs / "prometheus"
    folder.mkdir()
    running = Prometheus(folder)
    yield running
    running.stop()


@pytest.fixture
def prometheus(_prometheus: Prometheus) -> Iterator[Prometheus]:
    """A real Prometheus, whose target shows no pods yet."""
    _prometheus.target.clear()
    yield _prometheus
    _prometheus.target.clear()


def _install(control_plane: ControlPlane, manifests: list[dict[str, Any]]) -> list[str]:
    """Apply CustomResourceDefinitions and wait until the API server serves them."""
    extensions: Any = client.ApiextensionsV1Api(control_plane.api)

    def established(name: str) -> bool:
        conditions = extensions.read_custom_resource_definition(name).status.conditions or []
        return any(condition.type == "Established" and condition.status == "True" for condition in conditions)

    names = [control_plane.apply(manifest)["metadata"]["name"] for manifest in manifests]
    for name in names:
        eventually(functools.partial(established, name), f"{name} to be established")
    return names


@pytest.fixture
def stage(
    control_plane: ControlPlane, crd: str, gateway_api: list[str], prometheus: Prometheus, namespace: str, logs: Path
) -> Iterator[Stage]:
    with stage_in(namespace, control_plane, prometheus, logs / namespace) as made:
        yield made
