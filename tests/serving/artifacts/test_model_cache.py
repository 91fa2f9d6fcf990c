"""The cache of models, with real fetch containers that share a folder."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.serving.artifacts.stores.expected import MODEL
from tests.serving.fetching import fails, fetched, mount, succeeds
from tests.serving.files import FileServer, sha256
from tests.serving.places import Place, az_place
from tests.serving.pod import Pod
from tests.serving.store_servers import answering, beyond_the_first_range, silent
from tests.waiting import eventually

from viridian_shared.digest import digest_of

NAME = sha256(MODEL).removeprefix("sha256:")


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with az_place(tmp_path_factory.mktemp("az")) as place:
        place.put("model.onnx", MODEL)
        place.put("v1/model.onnx", b"1" * 1000)
        place.put("v1/a folder/labels.txt", b"cat\n")
        yield place


@pytest.fixture
def place(container: Place) -> Place:
    container.server.always, container.server.seen = None, []
    return container


@pytest.fixture
def pod(place: Place, tmp_path: Path) -> Callable[..., Pod]:
    """Pods of one node."""
    (tmp_path / "cache").mkdir()

    def create(name: str, path: str = "model.onnx", digest: str = sha256(MODEL), **settings: str) -> Pod:
        return place.pod(tmp_path / name, path, digest, MODEL_CACHE=str(tmp_path / "cache"), **settings)

    return create


def entries(tmp_path: Path) -> list[str]:
    return sorted(entry.name for entry in (tmp_path / "cache").iterdir() if entry.name != "locks")


def test_a_second_pod_does_not_fetch_it_again(place: Place, pod: Callable[..., Pod], tmp_path: Path) -> None:
    # given a model that one pod fetched
    succeeds(pod("one"))
    assert entries(tmp_path) == [NAME]
    place.server.seen.clear()
    # when another wants it
    second = pod("two")
    succeeds(second)
    # then nobody is asked
    assert not place.server.seen
    assert (fetched(second) / "model.onnx").read_bytes() == MODEL


def test_a_folder(place: Place, pod: Callable[..., Pod], tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a folder").mkdir(parents=True)
    (source / "model.onnx").write_bytes(b"1" * 1000)
    (source / "a folder" / "labels.txt").write_bytes(b"cat\n")
    digest = digest_of(source)
    succeeds(pod("one", "v1", digest))
    place.server.seen.clear()
    second = pod("two", "v1", digest)
    succeeds(second)
    assert not place.server.seen
    assert digest_of(fetched(second)) == digest


def test_pods_that_start_together_fetch_it_once(place: Place, pod: Callable[..., Pod]) -> None:
    pods = [pod(name) for name in ("one", "two", "three")]
    running = [each.start_fetch() for each in pods]
    assert [process.wait(120) for process in running] == [0, 0, 0], [each.log() for each in pods]
    assert len([each for each in place.server.seen if "range" in each.headers]) == 3  # ranges of one copy
    assert all((fetched(each) / "model.onnx").read_bytes() == MODEL for each in pods)


def test_what_is_damaged_is_fetched_again(pod: Callable[..., Pod], tmp_path: Path) -> None:
    # given an entry that somebody changed
    succeeds(pod("one"))
    (tmp_path / "cache" / NAME / "content").write_bytes(b"evil")
    # when
    second = pod("two")
    succeeds(second)
    # then it is not believed, and is right again
    assert (fetched(second) / "model.onnx").read_bytes() == MODEL
    assert (tmp_path / "cache" / NAME / "content").read_bytes() == MODEL
    assert "fetching it again" in second.log()


def test_what_was_used_last_stays(place: Place, pod: Callable[..., Pod], tmp_path: Path) -> None:
    # given room for two models, two of them, and the half of a third
    others = [os.urandom(9_000_000) for _ in range(2)]
    for number, content in enumerate(others):
        place.put(f"other-{number}.onnx", content)
    room = {"MODEL_CACHE_MAX_SIZE": "20Mi"}
    succeeds(pod("one", **room))
    succeeds(pod("two", "other-0.onnx", sha256(others[0]), **room))
    (tmp_path / "cache" / f"{'0' * 64}.part").mkdir()
    for age, name in enumerate(entries(tmp_path)):
        os.utime(tmp_path / "cache" / name, (age, age))
    # when the first is used again, and then the third comes
    succeeds(pod("three", **room))
    succeeds(pod("four", "other-1.onnx", sha256(others[1]), **room))
    # then the second has gone
    assert entries(tmp_path) == sorted([NAME, sha256(others[1]).removeprefix("sha256:")])


def test_what_is_larger_than_the_cache_is_fetched_without_it(pod: Callable[..., Pod], tmp_path: Path) -> None:
    succeeds(pod("one", MODEL_CACHE_MAX_SIZE="1Mi"))
    assert entries(tmp_path) == []


def test_a_wrong_digest_is_not_kept(pod: Callable[..., Pod], tmp_path: Path) -> None:
    fails(pod("one", digest=sha256(b"other")), "spec.model.digest: ")
    assert entries(tmp_path) == []


def test_a_cache_that_is_not_there_costs_no_model(pod: Callable[..., Pod], tmp_path: Path) -> None:
    (tmp_path / "cache").rmdir()
    without = pod("one")
    succeeds(without)
    assert "the cache of models cannot be used" in without.log()


def test_who_waits_for_another_pod_waits_no_longer_than_it_may(
    place: Place, pod: Callable[..., Pod], tmp_path: Path
) -> None:
    # given a pod that hangs while it fetches
    place.server.always = beyond_the_first_range(silent)
    first = pod("one")
    process = first.start_fetch()
    eventually(lambda: [each for each in place.server.seen if "range" in each.headers], first.log)
    # when another waits for it
    fails(
        pod("two", FETCH_TIMEOUT="1s"), "spec.model.fetchTimeout: 1 s passed while another pod fetches the same model"
    )
    # and the first dies, then the lock is free
    process.kill()
    process.wait()
    place.server.always = None
    succeeds(pod("three"))


def test_a_server_that_is_gone_matters_no_more(place: Place, pod: Callable[..., Pod]) -> None:
    succeeds(pod("one"))
    place.server.always = answering(503)
    succeeds(pod("two"))


def test_what_comes_by_https_is_kept_as_well(server: FileServer, fetcher: Callable[..., Pod], tmp_path: Path) -> None:
    # given a pod that fetched a file by https
    (tmp_path / "cache").mkdir()
    first = fetcher(MODEL_CACHE=str(tmp_path / "cache"))
    succeeds(first)
    # when it has to start from nothing
    shutil.rmtree(mount(first))
    mount(first).mkdir()
    succeeds(first)
    # then the server is asked once
    assert len(server.seen) == 1
