"""Fixtures of the component tests; `tests/component/harness` has what they are made of."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.component.harness.binaries import REPOSITORY, binary, crds
from tests.component.harness.control_plane import ControlPlane
from tests.component.harness.prometheus import Prometheus
from tests.component.harness.shell import Shell
from tests.component.harness.stage import Stage, stage_in
from tests.waiting import eventually


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything below this folder is a component test, whether it says so or not."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.component)


_beside: set[threading.Thread] = set()
"""The threads that were there when the current phase of a test began, and so may outlast it."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    _note_threads()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call() -> None:
    _note_threads()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    _note_threads()


def _note_threads() -> None:
    _beside.clear()
    _beside.update(thread for thread in threading.enumerate() if thread is not threading.current_thread())


@pytest.fixture(scope="session", autouse=True)
def _guarded_environment() -> Iterator[None]:
    """Fail every iteration over `os.environ` in a thread beside the tests; see `harness/loopback.py`.

    Without this, such a thread dies seldom, and far from the line that is to blame.
    """
    environment = type(os.environ)
    iterate = environment.__iter__

    def guarded(self: "os._Environ[str]") -> Iterator[str]:
        thread = threading.current_thread()
        if thread in _beside:
            raise RuntimeError(
                f"the thread {thread.name} iterates over os.environ, which pytest changes: use loopback.py"
            )
        return iterate(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "__iter__", guarded)
        yield


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
    return _install(control_plane, [REPOSITORY / "crds" / "viridian.dev_modeldeployments.yaml"])[0]


@pytest.fixture(scope="session")
def gateway_api(control_plane: ControlPlane) -> list[str]:
    """The CustomResourceDefinitions of the Gateway API, established; the value is their names."""
    return _install(control_plane, crds("gateway-api/gateway.networking.k8s.io_*.yaml"))


@pytest.fixture(scope="session")
def monitoring_definitions(control_plane: ControlPlane) -> list[str]:
    """The CustomResourceDefinitions that the Prometheus Operator watches, established; the value is their names."""
    kinds = ("prometheuses", "podmonitors", "servicemonitors", "probes", "prometheusrules")
    return _install(control_plane, [file for kind in kinds for file in crds(f"prometheus-operator/*_{kind}.yaml")])


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


def _install(control_plane: ControlPlane, files: list[Path]) -> list[str]:
    """Apply CustomResourceDefinitions and wait until the API server serves them."""
    kubectl = [str(binary("kubectl")), f"--kubeconfig={control_plane.kubeconfig}"]
    named = [f"--filename={file}" for file in files]

    def run(*arguments: str) -> str:
        return subprocess.run([*kubectl, *arguments, *named], check=True, stdout=subprocess.PIPE, text=True).stdout

    applied = run("apply", "--server-side", "--force-conflicts", "--output=name")

    def established() -> bool:
        try:
            return bool(run("wait", "--for=condition=Established", "--timeout=5s"))
        except subprocess.CalledProcessError as error:
            # It gives up at once on one that is so new that it has no conditions yet.
            raise AssertionError(f"kubectl wait ended with status {error.returncode}") from None

    eventually(established, "the definitions to be served", within=180)
    return [line.partition("/")[2] for line in applied.split()]


@pytest.fixture
def stage(
    control_plane: ControlPlane, crd: str, gateway_api: list[str], prometheus: Prometheus, namespace: str, logs: Path
) -> Iterator[Stage]:
    with stage_in(namespace, control_plane, prometheus, logs / namespace, forked=True) as made:
        yield made


@pytest.fixture
def shell(stage: Stage, tmp_path: Path) -> Shell:
    """A shell of somebody who uses the plugin on the stage's model."""
    kubeconfig = stage.control_plane.kubeconfig
    return Shell(tmp_path, kubeconfig, binary("kubectl"), NAMESPACE=stage.namespace, TIMEOUT="5m")
