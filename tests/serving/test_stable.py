"""Who is stable, as a pod comes to know it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from viridian_serving.http_client import HttpClient
from viridian_serving.schema import DataType, ModelSchema, Tensor
from viridian_serving.stable import FORGET_AFTER, Named, StableView, StableWatch, read_health

OWN = Named("m-2", "sha256:a", True)
OTHER = Named("m-1", "sha256:a", True)


def view(*learned: Named, at: float = 0.0) -> StableView:
    made = StableView("m-2")
    for named in learned:
        made.learn(named, at)
    return made


@pytest.mark.parametrize(
    ("learned", "schema", "now", "helper"),
    [
        ((OTHER,), "sha256:a", 0.0, "m-1"),
        ((OTHER,), "sha256:a", FORGET_AFTER, "m-1"),
        ((OTHER,), "sha256:a", FORGET_AFTER + 0.1, None),
        ((), "sha256:a", 0.0, None),
        ((OWN,), "sha256:a", 0.0, None),
        ((OWN, OTHER), "sha256:a", 0.0, "m-1"),
        ((OTHER, OWN), "sha256:a", 0.0, None),
        ((OTHER,), "sha256:b", 0.0, None),
        ((OTHER,), None, 0.0, None),
        ((Named("m-1", None, True),), "sha256:a", 0.0, None),
        ((Named("m-1", None, True),), None, 0.0, None),
        ((Named("m-1", "sha256:a", False),), "sha256:a", 0.0, None),
    ],
    ids=[
        "another revision", "still believed", "not believed any more", "nobody known", "this very revision",
        "no longer this one", "now this one", "another schema", "own schema not known", "its schema not known",
        "neither schema known", "not well itself",
    ],
)  # fmt: skip
def test_who_may_help(learned: tuple[Named, ...], schema: str | None, now: float, helper: str | None) -> None:
    assert view(*learned).fallback_for(schema, now) == helper


@pytest.mark.parametrize(
    ("learned", "moved"),
    [((), False), ((OTHER,), False), ((OWN,), False), ((OWN, OTHER), True), ((OTHER, OWN, OTHER), True),
     ((OWN, OTHER, OWN), False)],
    ids=["nothing known", "never stable", "stable", "stable no more", "stable for a while", "stable again"],
)  # fmt: skip
def test_callers_are_sent_on_only_by_a_revision_that_was_stable_and_is_not_any_more(
    learned: tuple[Named, ...], moved: bool
) -> None:
    assert view(*learned).moved is moved


def test_health_is_read() -> None:
    body = {"status": "ok", "model": "m", "version": "v1", "revision": "m-1", "input_schema": "sha256:a", "inputs": []}
    assert read_health(json.dumps(body).encode(), "m") == OTHER
    assert read_health(json.dumps({**body, "status": "failing"}).encode(), "m") == Named("m-1", "sha256:a", False)


def test_an_older_image_tells_no_schema_and_is_no_help() -> None:
    named = read_health(b'{"status": "ok", "model": "m", "version": "v1", "revision": "m-1"}', "m")
    assert view(named).fallback_for("sha256:a", 0.0) is None


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"<html>", "not that of a serving pod"),
        (b'{"status": "ok"}', "not that of a serving pod"),
        (b'{"status": "ok", "model": "n", "revision": "n-1"}', "model 'n' answered instead of 'm'"),
    ],
)
def test_what_is_not_our_health_is_refused(body: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_health(body, "m")


def schema(*inputs: Tensor, outputs: tuple[Tensor, ...] = (), max_batch: int = 8) -> ModelSchema:
    return ModelSchema(inputs, outputs, max_batch)


A = Tensor("a", DataType.FP32, (2,))
B = Tensor("b", DataType.BYTES, (1,))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (schema(A, B), True),
        (schema(B, A), True),
        (schema(A, B, outputs=(A,)), True),
        (schema(A, B, max_batch=4), True),
        (schema(A), False),
        (schema(A, B, max_batch=0), False),
        (schema(Tensor("c", DataType.FP32, (2,)), B), False),
        (schema(Tensor("a", DataType.FP64, (2,)), B), False),
        (schema(Tensor("a", DataType.FP32, (3,)), B), False),
    ],
    ids=["equal", "another order", "other outputs", "another batch size", "one less", "no batches", "another name",
         "another type", "another shape"],
)  # fmt: skip
def test_the_fingerprint_tells_what_is_taken_and_nothing_else(other: ModelSchema, same: bool) -> None:
    assert (other.input_fingerprint == schema(A, B).input_fingerprint) is same


class NamedPod:
    """Answers /health as a pod of a revision, and keeps connections open as a pod does."""

    def __init__(self) -> None:
        self.revision = "m-1"
        self.body: bytes | None = None
        self.connections = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                health = {"status": "ok", "model": "m", "revision": self.revision, "input_schema": "sha256:a"}
                body = self.body or json.dumps(health).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def watched() -> AsyncIterator[tuple[NamedPod, asyncio.Server, StableView, StableWatch, list[bool]]]:
    pod, seen = NamedPod(), StableView("m-2")
    changes: list[bool] = []
    server = await asyncio.start_server(pod.accept, "127.0.0.1", 0)
    client = HttpClient("127.0.0.1", server.sockets[0].getsockname()[1], "stable", keep=0)
    yield pod, server, seen, StableWatch(client, seen, "m", lambda: changes.append(seen.moved)), changes
    server.close()


async def test_each_look_is_made_on_a_connection_of_its_own_and_changes_are_told() -> None:
    async with watched() as (pod, _, seen, watch, changes):
        for revision in ("m-1", "m-1", "m-2", "m-2", "m-3"):
            pod.revision = revision
            await watch.look()
            assert seen.named is not None
            assert seen.named.revision == revision
        assert changes == [False, False, True]
        assert pod.connections == 5


async def test_a_look_that_fails_leaves_what_was_known() -> None:
    async with watched() as (pod, server, seen, watch, changes):
        await watch.look()
        pod.body = b"<html>a proxy's own page</html>"
        await watch.look()
        server.close()
        await watch.look()
        assert seen.named == OTHER
        assert changes == [False]
