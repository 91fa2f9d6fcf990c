"""Fixtures of the end-to-end tests: the local cluster with the operator in it, and a model of one's own."""

import os
import secrets
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from tests.e2e.harness.cluster import Cluster, KubectlError
from tests.e2e.harness.stage import Stage

_DEFAULT_PORT = "8080"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything below this folder is an end-to-end test, whether it says so or not."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the cluster says to the report of a failure, while its namespace is still there."""
    report = yield
    stage = getattr(item, "funcargs", {}).get("stage")
    if report.when == "call" and report.failed and isinstance(stage, Stage):
        report.sections.append(("What the cluster says", stage.explain()))
    return report


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster that KUBECONFIG names, with Viridian installed."""
    if shutil.which("kubectl") is None:
        _refuse("there is no kubectl in the PATH")
    kubeconfig = _file("KUBECONFIG", "which cluster to use")
    port = os.environ.get("VIRIDIAN_GATEWAY_PORT") or _DEFAULT_PORT
    found = Cluster(kubeconfig, f"http://127.0.0.1:{port}")
    try:
        found.kubectl("get", "modeldeployments", "--all-namespaces")
        found.operator_pod()
    except (KubectlError, AssertionError) as error:
        _refuse(f"the cluster of {kubeconfig} has no Viridian that answers ({error})")
    return found


@pytest.fixture(scope="session")
def image() -> str:
    """The serving image with the versions v1 (good), v2 (better), v3 (fails) and v4 (slow) of the model digits."""
    return os.environ.get("VIRIDIAN_DEMO_IMAGE") or _refuse(
        "VIRIDIAN_DEMO_IMAGE is not set; it names the serving image with the demonstration's models in it"
    )


@pytest.fixture(scope="session")
def samples() -> Path:
    """The real images that clients send."""
    return _file("VIRIDIAN_DEMO_SAMPLES", "where the images to send are")


@pytest.fixture
def stage(cluster: Cluster, image: str, samples: Path, tmp_path: Path) -> Iterator[Stage]:
    """A model in a namespace of the test's own, which is deleted afterwards."""
    namespace = f"e2e-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", namespace)
    yield Stage(cluster, namespace, image, samples, tmp_path)
    # Its pods take their time to end, and nobody waits for them: names and paths are never used again.
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def _file(variable: str, meaning: str) -> Path:
    text = os.environ.get(variable, "")
    if not text:
        _refuse(f"{variable} is not set; it says {meaning}")
    path = Path(text)
    if not path.is_file():
        _refuse(f"{variable} names {path}, which is not a file")
    return path


def _refuse(why: str) -> NoReturn:
    pytest.fail(
        f"The end-to-end tests cannot run: {why}. Run `make test-e2e`, which prepares all of it.", pytrace=False
    )
