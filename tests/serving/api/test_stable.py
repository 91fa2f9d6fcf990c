"""Who is stable, as a pod comes to know it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from viridian_serving.api.stable import FORGET_AFTER, Named, StablePoller, StableView, Surface, read_health
from viridian_serving.codec.tensors import DataType, Kind, ModelSchema, Tensor
from viridian_serving.contract.compatibility import UNKNOWN, Interface, Value
from viridian_serving.contract.contract import Contract
from viridian_serving.http1.client import HttpClient
from viridian_serving.inference.readiness import health

X = Value("x", Kind.NUMBER)
Y = Value("prediction", Kind.NUMBER)
SAME = Interface("sha256:a", (X,), (Y,), "sha256:t")
CLOSED = Interface("sha256:b", (X,), (Y,))
"""What takes the same features, and makes other tensors of them."""
ANOTHER = Interface("sha256:c", (Value("z", Kind.NUMBER),), (Y,), "sha256:u")
OLD = Interface("sha256:a")
"""What an earlier image says."""
OWN = Named("m-2", SAME, True)
OTHER = Named("m-1", SAME, True)


def view(*learned: Named, own: Interface | None = SAME, at: float = 0.0) -> StableView:
    made = StableView("m-2")
    for named in learned:
        made.learn(named, at)
    if own is not None:
        made.begin(own)
    return made


@pytest.mark.parametrize(
    ("learned", "own", "now", "covers", "predict", "infer"),
    [
        pytest.param((OTHER,), SAME, 0.0, "all", "m-1", "m-1", id="another revision"),
        pytest.param((OTHER,), SAME, FORGET_AFTER, "all", "m-1", "m-1", id="still believed"),
        pytest.param((OTHER,), SAME, FORGET_AFTER + 0.1, "none", None, None, id="not believed any more"),
        pytest.param((), SAME, 0.0, "unknown", None, None, id="nobody asked yet"),
        pytest.param((OWN,), SAME, 0.0, "self", None, None, id="this very revision"),
        pytest.param((OWN, OTHER), SAME, 0.0, "all", "m-1", "m-1", id="no longer this one"),
        pytest.param((OTHER, OWN), SAME, 0.0, "self", None, None, id="now this one"),
        pytest.param((Named("m-1", ANOTHER, True),), SAME, 0.0, "none", None, None, id="other features"),
        pytest.param((Named("m-1", CLOSED, True),), SAME, 0.0, "some", "m-1", None, id="the same features only"),
        pytest.param((OTHER,), CLOSED, 0.0, "all", "m-1", None, id="its own protocol is closed"),
        pytest.param((OTHER,), None, 0.0, "unknown", None, None, id="own model not loaded"),
        pytest.param((Named("m-1", OLD, True),), SAME, 0.0, "all", "m-1", "m-1", id="an earlier image, as it tells"),
        pytest.param((Named("m-1", OLD, True),), CLOSED, 0.0, "none", None, None, id="an earlier image with others"),
        pytest.param((Named("m-1", Interface(None), True),), SAME, 0.0, "none", None, None, id="says nothing at all"),
        pytest.param((Named("m-1", SAME, False),), SAME, 0.0, "none", None, None, id="not well itself"),
    ],
)
def test_who_may_help(
    learned: tuple[Named, ...], own: Interface | None, now: float, covers: str, predict: str | None, infer: str | None
) -> None:
    seen = view(*learned, own=own)
    assert seen.coverage(now).covers == covers
    assert (seen.fallback_for(Surface.PREDICT, now), seen.fallback_for(Surface.INFER, now)) == (predict, infer)


def test_it_makes_no_difference_what_is_known_first() -> None:
    late, early = StableView("m-2"), StableView("m-2")
    early.begin(SAME)
    early.learn(OTHER, 0.0)
    late.learn(OTHER, 0.0)
    late.begin(SAME)
    assert early.coverage(0.0) == late.coverage(0.0)


def test_a_stable_that_never_answered_is_said_to_be_out_of_reach_once_it_was_asked() -> None:
    seen = view()
    assert seen.coverage(0.0).covers == "unknown"
    seen.miss()
    assert (seen.coverage(0.0).covers, seen.coverage(0.0).reason) == ("none", "stable cannot be reached")


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


IDENTITY = {"model": "m", "version": "v1", "revision": "m-1"}


def test_what_a_pod_writes_is_read() -> None:
    contract = Contract.derived(schema(A, B, outputs=(A,)))
    for status, serving in (("ok", True), ("failing", False)):
        body = health(status, IDENTITY, contract, UNKNOWN)
        assert read_health(body, "m") == Named("m-1", Interface.of(contract), serving)
        assert json.loads(body)["input_schema"] == contract.fingerprint


def test_a_pod_whose_model_is_not_loaded_tells_no_interface() -> None:
    named = read_health(health("starting", IDENTITY, None, UNKNOWN), "m")
    assert named == Named("m-1", Interface(None), False)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"features": [{"name": "x", "type": "number", "shape": [1]}], "inputs": [], "outputs": []},
        {"features": [{"name": "x", "type": "picture"}]},
        {"features": None, "answers": 7},
    ],
)
def test_an_earlier_image_is_taken_by_its_fingerprint_alone(said: dict[str, object]) -> None:
    body = {"status": "ok", **IDENTITY, "input_schema": "sha256:a", **said}
    named = read_health(json.dumps(body).encode(), "m")
    assert (named.interface.answers, named.interface.input_schema) == (None, "sha256:a")
    assert view(named).fallback_for(Surface.PREDICT, 0.0) == "m-1"
    assert view(named, own=CLOSED).fallback_for(Surface.PREDICT, 0.0) is None


def test_an_image_that_tells_no_fingerprint_is_no_help() -> None:
    named = read_health(json.dumps({"status": "ok", **IDENTITY}).encode(), "m")
    assert view(named).fallback_for(Surface.PREDICT, 0.0) is None


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
async def watched() -> AsyncIterator[tuple[NamedPod, asyncio.Server, StableView, StablePoller, list[bool]]]:
    pod, seen = NamedPod(), StableView("m-2")
    changes: list[bool] = []
    server = await asyncio.start_server(pod.accept, "127.0.0.1", 0)
    client = HttpClient("127.0.0.1", server.sockets[0].getsockname()[1], "stable", keep=0)
    yield pod, server, seen, StablePoller(client, seen, "m", lambda: changes.append(seen.moved)), changes
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
        assert seen.named == Named("m-1", OLD, True)
        assert changes == [False]
