"""A model that is an image of its own, which the kubelet mounts: no pod fetches it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.harness.docker import docker
from tests.e2e.harness.environment import Environment
from tests.e2e.harness.stage import NAME, Stage

MOUNTS_IMAGES = (2, 1)
"""The containerd from which on it mounts images as volumes."""


@pytest.fixture
def model_image(environment: Environment, stage: Stage, tmp_path: Path, container: str) -> Iterator[str]:
    """An image with version v1 and nothing else, which each node has as if it had pulled it, by its digest."""
    (node,) = stage.cluster.read("nodes")["items"]
    runtime = str(node["status"]["nodeInfo"]["containerRuntimeVersion"])
    if tuple(map(int, runtime.removeprefix("containerd://").split(".")[:2])) < MOUNTS_IMAGES:
        pytest.skip(f"{runtime} mounts no images; 2.1 or later does")
    models = tmp_path / "models"
    docker("create", "--name", container, environment.image)
    docker("cp", f"{container}:/models/{NAME}/v1", str(models))
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY models/ /models/\n")
    tag, repository = f"viridian/{stage.namespace}:v1", f"models.example.com/{stage.namespace}"
    docker("build", "--tag", tag, str(tmp_path))
    on_node = ["docker", "exec", "--interactive", node["metadata"]["name"], "ctr", "--namespace=k8s.io", "images"]
    saved = tmp_path / "image.tar"
    docker("save", "--output", str(saved), tag)
    with saved.open("rb") as archive:
        subprocess.run(
            [*on_node, "import", "--digests", "--base-name", repository, "-"],
            stdin=archive,
            check=True,
            capture_output=True,
            timeout=60,
        )
    names = subprocess.run([*on_node, "ls", "-q"], check=True, capture_output=True, text=True).stdout.split()
    (reference,) = (name for name in names if name.startswith(f"{repository}@sha256:"))
    yield reference
    subprocess.run([*on_node, "rm", reference], check=True, capture_output=True)
    docker("rmi", tag)


def test_a_model_is_served_from_the_image_that_the_node_mounts(stage: Stage, model_image: str) -> None:
    # when
    stage.serve("v1", model={"version": "v1", "uri": f"oci://{model_image}", "mount": "ImageVolume"})

    # then the pods have the image as a volume, and no other place for the model's files
    pods = stage.read("pods", f"--selector=viridian.dev/model={NAME}")["items"]
    assert pods
    for pod in pods:
        volume = next(each for each in pod["spec"]["volumes"] if each["name"] == "model")
        assert volume["image"]["reference"] == model_image

    # and it answers as the same version in the serving image does
    with stage.clients() as clients:
        answers = clients.go_on()
    assert not clients.failed
    assert {answer.version for answer in answers} == {"v1"}
    assert sum(bool(answer.right) for answer in answers) > 0.8 * len(answers)
