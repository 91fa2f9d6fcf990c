"""A model on one's own machine, by the image: `docker run`, and nothing else."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path

import pytest
from tests.component.harness.loopback import open_url
from tests.e2e.harness.docker import docker
from tests.e2e.harness.environment import Environment
from tests.serving import models
from tests.waiting import eventually


@pytest.mark.parametrize("user", ["", str(os.getuid())], ids=["as the image's user", "as this user"])
def test_a_folder_is_served_by_docker_run(environment: Environment, tmp_path: Path, container: str, user: str) -> None:
    # given a folder that anybody may read
    folder = models.lookup(tmp_path / "prices" / "v2").parent
    folder.chmod(0o755)
    (folder / "model.onnx").chmod(0o644)
    # when
    docker(
        *("run", "--detach", "--name", container, "--publish", "127.0.0.1::8000"),
        *(("--user", user) if user else ()),
        *("--read-only", "--tmpfs", "/tmp:mode=1777", "--volume", f"{folder}:/prices/v2:ro"),  # noqa: S108  in there
        *(environment.image, "viridian-serve", "/prices/v2"),
    )
    eventually(lambda: "Ctrl-C ends it." in docker("logs", container), "the model to be ready")
    # then it is asked from outside of the container
    url = f"http://{docker('port', container, '8000/tcp').strip()}/predict"
    with open_url(urllib.request.Request(url, b'{"i": 3}'), timeout=30) as response:
        answer = json.load(response)
    assert (answer["prediction"], answer["model"], answer["version"]) == (30, "prices", "v2")
    # and ends when it is told to
    docker("stop", "--time", "30", container)
    assert docker("inspect", "--format", "{{.State.ExitCode}}", container).strip() == "0"


@pytest.mark.parametrize(
    ("files", "mode", "sentence"),
    [
        ([], 0o755, "/model holds no model (found: nothing). Looked for: model.onnx"),
        (
            ["model.onnx"],
            0o700,
            "/model/model.onnx may not be read by user 10001; make the files readable for everybody",
        ),
        (["model.onnx"], 0o755, "/model/model.onnx may not be read by user 10001"),
    ],
    ids=["no model", "a folder for its owner only", "a file for its owner only"],
)
def test_a_folder_that_cannot_be_served_is_said(
    environment: Environment, tmp_path: Path, container: str, files: list[str], mode: int, sentence: str
) -> None:
    # given
    folder = tmp_path / "model"
    folder.mkdir()
    for name in files:
        (folder / name).write_bytes(b"x")
        (folder / name).chmod(0o600)
    folder.chmod(mode)
    # when
    mounted = ("--volume", f"{folder}:/model:ro")
    done = subprocess.run(
        ["docker", "run", "--name", container, *mounted, environment.image, "viridian-serve", "/model"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    # then
    assert done.returncode == 1
    assert sentence in done.stderr
