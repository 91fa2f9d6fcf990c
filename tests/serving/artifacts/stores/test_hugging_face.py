"""What is special about Hugging Face: commits, hashes of files, gated repositories, and where the hub leads."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving.fetching import fails, fetched, succeeds
from tests.serving.files import sha256
from tests.serving.places import Place, hf_place
from tests.serving.store_doubles import COMMIT, PERMISSION, REPOSITORY, Hub
from tests.serving.store_servers import StoreHandler, answering, send

FILES = {"README.md": b"# iris\n", "onnx/model.onnx": b"model" * 1000, "onnx/schema.yaml": b"inputs: []\n"}


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Place]:
    with hf_place(tmp_path) as place:
        for name, content in FILES.items():
            place.put(name, content)
        yield place


def test_a_whole_repository(repository: Place, tmp_path: Path) -> None:
    pod = repository.pod(tmp_path, "", None, MODEL_URI=f"hf://{REPOSITORY}@{COMMIT}", MODEL_FORMAT="triton")
    succeeds(pod)
    assert {name: (fetched(pod) / name).read_bytes() for name in FILES} == FILES


def test_large_files_are_asked_for_where_the_hub_leads(repository: Place, tmp_path: Path) -> None:
    pod = repository.pod(tmp_path, "onnx", None)
    succeeds(pod)
    assert (fetched(pod) / "model.onnx").read_bytes() == FILES["onnx/model.onnx"]
    asked = [each.path for each in repository.server.seen if "range" in each.headers]
    assert f"/{REPOSITORY}/resolve/{COMMIT}/onnx/model.onnx" in asked
    assert f"/cdn/onnx/model.onnx?{PERMISSION}" in asked
    # and that address is a permission, so no log has it
    assert PERMISSION not in pod.log()


@pytest.mark.parametrize("name", ["onnx/model.onnx", "onnx/schema.yaml"])
def test_other_bytes_than_the_hub_listed_are_refused(repository: Place, tmp_path: Path, name: str) -> None:
    # given something on the way that changes a file, of either kind of hash
    def changed(handler: StoreHandler, reply: object) -> None:
        content = FILES[name]
        send(handler, handler.part_of(content[:-1] + b"!", ETag='"1"'))

    repository.server.always = changed
    fails(repository.pod(tmp_path, name, None), "spec.model.uri: the file of ", "and the store says ")


def test_a_gated_repository_is_not_asked_again(repository: Place, tmp_path: Path) -> None:
    # given one that everybody may list and few may read
    said = {"X_Error_Code": "GatedRepo", "X_Error_Message": "Access to model acme/iris is restricted."}
    repository.server.always = answering(403, "{}", **said)
    pod = repository.pod(tmp_path, "onnx/model.onnx", None)
    fails(pod, "spec.model.credentialsSecretRef: ", "Access to model acme/iris is restricted", "HF_TOKEN")
    assert "trying again" not in pod.log()


def test_the_hub_is_left_alone_as_long_as_it_asks(repository: Place, tmp_path: Path) -> None:
    repository.server.faults = [answering(429, "{}", Retry_After="2")]
    pod = repository.pod(tmp_path, "onnx/model.onnx", None)
    succeeds(pod)
    assert "trying again in 2.0 s" in pod.log()


def test_nothing_leaves_tls(repository: Place, tmp_path: Path) -> None:
    repository.server.always = answering(302, Location="http://localhost:1/model.onnx")
    pod = repository.pod(tmp_path, "onnx/model.onnx", None)
    fails(pod, "spec.model.uri: the server leads to http://localhost, which is not encrypted")


def test_a_digest_is_checked_as_well(repository: Place, tmp_path: Path) -> None:
    assert isinstance(repository.server, Hub)
    fails(repository.pod(tmp_path, "onnx/model.onnx", sha256(b"other")), "spec.model.digest: ")


def test_a_branch_is_refused(repository: Place, tmp_path: Path) -> None:
    pod = repository.pod(tmp_path, "", None, MODEL_URI=f"hf://{REPOSITORY}@main")
    fails(pod, "spec.model.uri: ", "with the 40 digits of a commit", "tomorrow")


def test_a_name_that_the_hub_never_gives(repository: Place, tmp_path: Path) -> None:
    pod = repository.pod(tmp_path, "", None, MODEL_URI=f"hf://acme/iris--setosa@{COMMIT}")
    fails(pod, "spec.model.uri: ", "correct the name of the repository")
