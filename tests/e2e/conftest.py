"""Fixtures of the end-to-end tests: the local cluster with the operator in it, and one's own model."""

import subprocess
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from tests.e2e.harness.environment import Environment, NotPreparedError
from tests.e2e.harness.stage import Stage


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
def environment() -> Environment:
    """The cluster with Viridian installed, and the models and images of the demonstration."""
    try:
        return Environment.read()
    except NotPreparedError as error:
        pytest.fail(
            f"The end-to-end tests cannot run: {error}. Run `make test-e2e`, which prepares all of it.", pytrace=False
        )


@pytest.fixture
def stage(environment: Environment, tmp_path: Path) -> Iterator[Stage]:
    """A model in a namespace of the test's own, which is deleted afterwards."""
    with Stage.of_its_own(environment, "e2e", tmp_path) as stage:
        yield stage


@pytest.fixture
def container() -> Iterator[str]:
    """The name of a container beside the cluster, which is removed afterwards."""
    name = f"viridian-serve-{uuid.uuid4().hex[:8]}"
    yield name
    subprocess.run(["docker", "rm", "--force", name], capture_output=True, timeout=120)
