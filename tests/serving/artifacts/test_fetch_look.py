"""The fetch container that only looks: what is there is said, nothing is fetched, and who cannot see blames nobody."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.serving.fetching import MODEL, fetched, mount, run
from tests.serving.files import FileServer, sha256
from tests.serving.places import PLACES, write_secret
from tests.serving.pod import Pod

from viridian_serving.commands.fetch import CANNOT_KNOW
from viridian_shared.pod.exit_codes import CHECK_FAILED

LOOK = {"FETCH_LOOK": "true", "FETCH_TIMEOUT": "20s"}


def test_a_file_by_https(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    pod = fetcher(**LOOK)
    code, words = run(pod)
    assert (code, words.strip()) == (0, f"{server.url('/model.onnx')} is there, with {len(MODEL):,} bytes")
    assert not fetched(pod).exists()
    assert server.seen[-1].headers.get("range") == "bytes=0-0"


def test_a_file_that_is_gone(server: FileServer, fetcher: Callable[..., Pod]) -> None:
    pod = fetcher(**LOOK)
    del server.files["/model.onnx"]
    code, words = run(pod)
    assert code == CHECK_FAILED
    assert words.startswith("spec.model.uri: the server answers 404 Not Found for ")


def test_a_claim_and_an_image(tmp_path: Path) -> None:
    pod = Pod.create(tmp_path, MODEL_URI="pvc://models/iris/v1", MODEL_DIGEST=sha256(MODEL), **LOOK)
    folder = mount(pod) / "iris" / "v1"
    folder.mkdir(parents=True)
    assert run(pod)[0] == CHECK_FAILED
    (folder / "model.onnx").write_bytes(MODEL)
    assert run(pod) == (0, "pvc://models/iris/v1 is there\n")
    pod.settings["MODEL_URI"] = "image:///models/m/v1"
    code, words = run(pod)
    assert code == CHECK_FAILED
    assert words.startswith("spec.model.uri 'image:///models/m/v1' names /models/m/v1, which this image does not ")
    pod.model_directory.mkdir(parents=True)
    (pod.model_directory / "model.onnx").write_bytes(MODEL)
    assert run(pod) == (0, "image:///models/m/v1 is there\n")


def test_a_mounted_image(tmp_path: Path) -> None:
    address = f"oci://ghcr.io/acme/iris@{sha256(MODEL)}"
    pod = Pod.create(tmp_path, MODEL_URI=address, MODEL_MOUNTED="true", **LOOK)
    folder = mount(pod) / "models"
    folder.mkdir(parents=True)
    assert run(pod)[0] == CHECK_FAILED
    (folder / "model.onnx").write_bytes(MODEL)
    assert run(pod) == (0, f"{address} is there\n")


@pytest.mark.parametrize("store", ["gs", "az"])
def test_a_folder_in_a_store(tmp_path: Path, store: str) -> None:
    with PLACES[store](tmp_path / "store") as place:
        place.put("v1/model.onnx", MODEL)
        place.put("v1/schema.yaml", b"inputs: []\n")
        pod = place.pod(tmp_path / "pod", "v1/", sha256(MODEL), **LOOK)
        # what is there is counted
        code, words = run(pod)
        assert code == 0, words
        assert words == f"{place.address('v1/')} is there, with 2 files of {len(MODEL) + 11:,} bytes\n"
        assert not fetched(pod).exists()
        # what is gone is a result
        pod.settings["MODEL_URI"] = place.address("v0/")
        code, words = run(pod)
        assert code == CHECK_FAILED, words
        assert place.misses in words
        # and who is not let in knows nothing
        write_secret(pod, place.bad)
        code, words = run(pod)
        assert code == CANNOT_KNOW, words
        assert place.refuses in words
