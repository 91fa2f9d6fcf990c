"""The page docs/guides/from-notebook-to-canary.md, followed word for word."""

import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.component.harness.binaries import REPOSITORY, interpreter
from tests.e2e.harness.bucket import KEYS, bucket
from tests.e2e.harness.environment import Environment
from tests.e2e.harness.page import blocks
from tests.e2e.harness.reader import Reader
from tests.waiting import eventually

PAGE = REPOSITORY / "docs" / "guides" / "from-notebook-to-canary.md"
CLEAN_UP = "8. Clean up"


@pytest.fixture
def namespace(environment: Environment) -> Iterator[str]:
    name = f"e2e-{secrets.token_hex(4)}"
    environment.cluster.kubectl("create", "namespace", name)
    yield name
    environment.cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def reader(environment: Environment, namespace: str, tmp_path: Path) -> Iterator[Reader]:
    """Somebody who has what the page says is needed."""
    python = str(interpreter("requirements/importing.txt"))
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, runs, module in (
        ("viridian", python, "viridian_import.commands.main"),
        ("kubectl-viridian", sys.executable, "viridian.cli.main"),
    ):
        program = programs / name
        program.write_text(
            f'#!/bin/sh\nPYTHONPATH={REPOSITORY}/operator:{REPOSITORY}/serving-image exec {runs} -m {module} "$@"\n'
        )
        program.chmod(0o755)
    kubeconfig = tmp_path / "kubeconfig"
    shutil.copyfile(os.environ["KUBECONFIG"], kubeconfig)
    environment.cluster.kubectl(
        "config", "set-context", "--current", f"--namespace={namespace}", f"--kubeconfig={kubeconfig}"
    )
    work = tmp_path / "work"
    work.mkdir()
    with bucket(environment.cluster, namespace, "models") as url:
        variables = {
            **os.environ,
            **KEYS,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "KUBECONFIG": str(kubeconfig),
            "S3_ENDPOINT": url,
            "GATEWAY": environment.cluster.gateway,
            "NO_PROXY": "*",
        }
        with Reader.at(work, [python], variables) as reader:
            yield reader


def test_a_reader_of_the_page_gets_from_a_notebook_to_a_canary(
    environment: Environment, namespace: str, reader: Reader
) -> None:
    page = blocks(PAGE.read_text())
    assert CLEAN_UP in [block.heading for block in page]
    printed: dict[str, str] = {}
    # when the blocks are run in order
    for block in page:
        if block.heading != CLEAN_UP:
            printed[block.heading] = printed.get(block.heading, "") + reader.run(block)
    # then each says what the page says
    assert "uploaded  6 files to s3://models/iris/v1.0.0/" in printed["3. Import and upload"]
    assert json.loads(printed["5. Ask it"])["version"] == "v1.0.0"
    assert "v1.1.0" in printed["6. The next version"]
    assert "wait ended with 3" in printed["7. A version that is worse"]
    assert "golden" in printed["7. A version that is worse"]

    # and the version that is worse was turned back before any traffic
    def turned_back() -> dict[str, Any]:
        found: dict[str, Any] = environment.cluster.model(namespace, "iris")["status"]
        assert found["phase"] == "RolledBack", found["phase"]
        return found

    status = eventually(turned_back, "phase RolledBack")
    assert status["stable"]["version"] == "v1.1.0"
    assert "failed the check golden before any traffic" in status["failed"][0]["message"]
    # and nothing is left
    for block in page:
        if block.heading == CLEAN_UP:
            reader.run(block)
    assert environment.cluster.read("modeldeployments", f"--namespace={namespace}")["items"] == []
