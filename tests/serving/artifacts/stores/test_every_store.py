"""Every store in every situation: the real fetch container before the store's own HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving.artifacts.stores.expected import MODEL, says_none_of
from tests.serving.fetching import fails, fetched, mount, succeeds
from tests.serving.files import sha256
from tests.serving.places import PLACES, Place, write_secret
from tests.serving.pod import Pod
from tests.serving.store_servers import (
    StoreRequest,
    answering,
    beyond_the_first_range,
    cut_after,
    dripping,
    silent,
)
from tests.waiting import DEADLINE

from viridian_shared.digest import digest_of

pytestmark = pytest.mark.serving


@pytest.fixture(scope="module", params=PLACES)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with PLACES[request.param](tmp_path_factory.mktemp(request.param)) as place:
        place.put("model.onnx", MODEL)
        for path, content in FOLDER.items():
            place.put(f"v1/{path}", content)
        place.put("v10/model.onnx", b"of another version")
        yield place


@pytest.fixture
def place(shared: Place) -> Place:
    shared.server.forget()
    return shared


FOLDER = {"model.onnx": MODEL[:5_000_000], "schema.yaml": b"inputs: []\n", "a folder/labels+1.txt": b"cat\ndog\n"}


def folder_digest(directory: Path) -> str:
    """The digest of the folder as it was before it was uploaded."""
    for path, content in FOLDER.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(content)
    return digest_of(directory)


def says_no_secret(place: Place, pod: Pod) -> None:
    says_none_of(pod, *place.good.values(), *place.bad.values())


def test_a_file(place: Place, tmp_path: Path) -> None:
    pod = place.pod(tmp_path, "model.onnx", sha256(MODEL))
    succeeds(pod)
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL
    says_no_secret(place, pod)


def test_a_folder(place: Place, tmp_path: Path) -> None:
    for address in place.addresses_of("v1"):
        pod = place.pod(tmp_path / address[-2:], address, folder_digest(tmp_path / "uploaded"))
        succeeds(pod)
        assert {path: (fetched(pod) / path).read_bytes() for path in FOLDER} == FOLDER


def test_what_is_there_is_not_fetched_again(place: Place, tmp_path: Path) -> None:
    pod = place.pod(tmp_path, "model.onnx", sha256(MODEL))
    succeeds(pod)
    place.server.seen.clear()
    succeeds(pod)
    assert not place.server.seen


def test_wrong_credentials(place: Place, tmp_path: Path) -> None:
    pod = place.pod(tmp_path, "model.onnx", sha256(MODEL))
    write_secret(pod, place.bad)
    fails(pod, "spec.model.credentialsSecretRef: ", place.refuses, "heck the Secret's")
    says_no_secret(place, pod)


def test_no_credentials_in_the_secret(place: Place, tmp_path: Path) -> None:
    pod = place.pod(tmp_path, "model.onnx", sha256(MODEL))
    for key in place.good:
        (pod.directory / "credentials" / key).unlink()
    fails(pod, "spec.model.credentialsSecretRef: the Secret does not exist, or is empty; it must have ", *place.good)


def test_a_token_that_expires_in_mid_download_is_renewed(place: Place, tmp_path: Path) -> None:
    # given a token that is refused for two ranges
    place.server.faults = [place.expired, place.expired]
    pod = place.pod(tmp_path, "model.onnx", sha256(MODEL))
    # when
    succeeds(pod)
    # then
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL
    assert "no longer takes" in pod.log()


def test_a_token_that_is_not_renewed_ends_it_and_the_next_run_goes_on(place: Place, tmp_path: Path) -> None:
    if not place.parts:
        pytest.skip("its files come in one answer")
    # given one that is good for the first range alone
    place.server.always = beyond_the_first_range(place.expired)
    pod = place.pod(tmp_path, "model.onnx", sha256(MODEL))
    fails(pod, "spec.model.credentialsSecretRef: ", "xpired" if place.name != "az" else "Signature not valid")
    says_no_secret(place, pod)
    # when the Secret is right again, and the kubelet starts the container
    there = (mount(pod) / "download.parts" / "content").stat().st_size
    place.server.always = None
    place.server.seen.clear()
    succeeds(pod)
    # then nothing that was there is asked for
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL
    assert there == 4 << 20
    assert {range_of(each) for each in place.server.seen} - {""} == {
        f"bytes={there}-{2 * there - 1}",
        f"bytes={2 * there}-{len(MODEL) - 1}",
    }


def range_of(request: StoreRequest) -> str:
    return request.headers.get("range", "")


def test_a_connection_that_is_cut(place: Place, tmp_path: Path) -> None:
    place.server.faults = [cut_after(1_000_000), cut_after(0), cut_after(2_500_000), answering(503), answering(429)]
    pod = place.pod(tmp_path, "model.onnx", sha256(MODEL))
    succeeds(pod)
    assert (fetched(pod) / "model.onnx").read_bytes() == MODEL


def test_a_server_that_stays_broken(place: Place, tmp_path: Path) -> None:
    place.server.always = answering(502)
    pod = place.pod(tmp_path, "model.onnx", sha256(MODEL))
    fails(pod, "spec.model.uri: ", "502", "5 tries in a row")


def test_wrong_digest(place: Place, tmp_path: Path) -> None:
    pod = place.pod(tmp_path, "model.onnx", sha256(b"other"))
    fails(pod, "spec.model.digest: ", sha256(MODEL), sha256(b"other"), "Correct the uri")
    assert not (mount(pod) / "download.parts").exists()


def test_a_missing_object(place: Place, tmp_path: Path) -> None:
    pod = place.pod(tmp_path, "nothing.onnx", sha256(MODEL))
    fails(pod, "spec.model.uri: ", place.misses, "correct the address")


def test_a_full_disk(place: Place, tmp_path: Path) -> None:
    # given a file system on which no file can be larger than 6 MB
    pod = place.pod(tmp_path, "model.onnx", sha256(MODEL))
    pod.file_limit = 6_000_000
    # then
    fails(pod, "spec.model.uri: what was fetched cannot be stored: ", "see whether the node's disk is full")


def test_a_slow_server(place: Place, tmp_path: Path) -> None:
    place.server.faults = [dripping]
    pod = place.pod(tmp_path, "model.onnx", sha256(MODEL))
    succeeds(pod)


def test_a_silent_server(place: Place, tmp_path: Path) -> None:
    place.server.always = silent
    pod = place.pod(tmp_path, "model.onnx", sha256(MODEL), FETCH_TIMEOUT="2s")
    fails(pod, "spec.model.fetchTimeout: 2 s passed while fetching", "Raise it")


def test_a_model_that_is_too_large(place: Place, tmp_path: Path) -> None:
    pod = place.pod(tmp_path, "model.onnx", sha256(MODEL), MODEL_MAX_SIZE="8Mi")
    fails(pod, "spec.model.maxSize: ", str(len(MODEL)), "raise it")


def test_two_pods_at_once(place: Place, tmp_path: Path) -> None:
    pods = [place.pod(tmp_path / name, "model.onnx", sha256(MODEL)) for name in ("one", "two")]
    running = [pod.start_fetch() for pod in pods]
    assert [process.wait(DEADLINE) for process in running] == [0, 0], [pod.log() for pod in pods]
    assert all((fetched(pod) / "model.onnx").read_bytes() == MODEL for pod in pods)


def test_without_a_digest_only_what_the_store_vouches_for(place: Place, tmp_path: Path) -> None:
    pod = place.pod(tmp_path, "model.onnx", None)
    if place.vouches:
        succeeds(pod)
    else:
        fails(pod, "spec.model.digest: the store gives no checksum", "write the digest")
