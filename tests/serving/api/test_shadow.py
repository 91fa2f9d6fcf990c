"""Copies for the candidate: which requests are mirrored, how many, and what comes of them."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.ports import free_port
from tests.waiting import until

from viridian_serving.api import shadow
from viridian_serving.api.shadow import EXAMPLES, MOST_OPEN, Mirror
from viridian_serving.http1.client import HttpClient
from viridian_serving.http1.messages import Request, Response
from viridian_serving.http1.server import HttpServer
from viridian_serving.inference.request_context import RequestContext
from viridian_serving.telemetry.shadow_counts import ShadowCounts
from viridian_shared.counts.mirrored import Mirrored
from viridian_shared.counts.outcome import Outcome
from viridian_shared.counts.via import Via

NAMED = ((b"Viridian-Revision", b"m-2"),)
SAME = Response(200, b'{"prediction": "a", "revision": "m-2"}', headers=NAMED)
OTHER = Response(200, b'{"prediction": "b", "revision": "m-2"}', headers=NAMED)


@dataclass
class Candidate:
    """A pod of the candidate, with its own way of answering."""

    answer: Response = SAME
    asked: list[Request] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        await self.gate.wait()
        return self.answer


@dataclass
class Stage:
    candidate: Candidate
    mirror: Mirror
    counts: ShadowCounts
    logged: list[tuple[str, str, Any]]

    def offer(
        self,
        *,
        told: bytes | None = b"m-2;share=0.5",
        via: Via = Via.SPLIT,
        body: bytes = b"{}",
        predictions: Sequence[dict[str, Any]] = ({"prediction": "a"},),
        **seen: Any,
    ) -> None:
        headers = {b"content-type": b"application/json", b"x-group": b"beta", b"authorization": b"Bearer x"}
        if told is not None:
            headers[b"viridian-shadow"] = told
        context = RequestContext(Request(b"POST", b"/predict", headers, body, time.perf_counter()), "id-1", via, 0)
        context.predictions = predictions
        given = {"outcome": Outcome.OK, "status": 200, "answered_by": "model", "seconds": 0.01, **seen}
        for name, value in given.items():
            setattr(context, name, value)
        self.mirror.offer(context)

    async def comes_to(self, **results: int) -> None:
        wanted = {Mirrored(name): number for name, number in results.items()}
        await until(lambda: {name: number for name, number in self.counts.results.items() if number} == wanted)


@asynccontextmanager
async def staged(dice: float = 0.0, longest: float = 30.0) -> AsyncIterator[Stage]:
    candidate, server, logged = Candidate(), HttpServer(1 << 20, ()), []
    candidate.gate.set()
    port = free_port()
    await server.listen("127.0.0.1", port, candidate)
    counts = ShadowCounts((0.1, 1.0))

    def log(context: RequestContext, revision: str, answer: object) -> None:
        logged.append((context.request_id, revision, answer))

    client = HttpClient("127.0.0.1", port, "the candidate")
    mirror = Mirror(client, "m-1", longest, counts, log, dice=lambda: dice)
    try:
        yield Stage(candidate, mirror, counts, logged)
    finally:
        mirror.close()
        await server.close(longest=1.0)


async def test_a_copy_carries_the_body_and_what_reads_it_and_says_that_it_is_one() -> None:
    async with staged() as stage:
        stage.offer(body=b'{"i": 1}')
        await stage.comes_to(agreed=1)
        (copy,) = stage.candidate.asked
        assert (copy.method, copy.path, copy.body) == (b"POST", b"/predict", b'{"i": 1}')
        assert copy.headers[b"viridian-via"] == b"mirror"
        assert copy.headers[b"x-request-id"] == b"id-1"
        assert copy.headers[b"authorization"] == b"Bearer x"
        assert b"viridian-shadow" not in copy.headers
        assert b"x-group" not in copy.headers


async def test_another_answer_is_counted_and_logged() -> None:
    async with staged() as stage:
        stage.candidate.answer = OTHER
        stage.offer()
        await stage.comes_to(disagreed=1)
        assert stage.logged == [("id-1", "m-2", [{"prediction": "b", "revision": "m-2"}])]


async def test_so_many_examples_are_logged_and_no_more() -> None:
    async with staged() as stage:
        stage.candidate.answer = OTHER
        for number in range(1, EXAMPLES + 6):
            stage.offer()
            await stage.comes_to(disagreed=number)
        assert len(stage.logged) == EXAMPLES


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (Response(422, b"{}", headers=NAMED), "disagreed"),
        (Response(400, b"{}", headers=NAMED), "disagreed"),
        (Response(500, b"{}", headers=NAMED), "failed"),
        (Response(503, b"{}", headers=NAMED), "failed"),
        (Response(429, b"{}", headers=NAMED), "failed"),
        (Response(401, b"{}", headers=NAMED), "failed"),
        (Response(200, b"no JSON", headers=NAMED), "failed"),
        (Response(200, SAME.body, headers=((b"Viridian-Revision", b"m-9"),)), "failed"),
        (Response(200, SAME.body), "failed"),
    ],
)
async def test_what_another_answer_counts_as(answer: Response, result: str) -> None:
    async with staged() as stage:
        stage.candidate.answer = answer
        stage.offer()
        await stage.comes_to(**{result: 1})


async def test_a_candidate_that_does_not_answer_in_time_has_failed() -> None:
    async with staged(longest=0.05) as stage:
        stage.candidate.gate.clear()
        stage.offer()
        await stage.comes_to(failed=1)


@pytest.mark.parametrize(
    "offered",
    [
        {"told": None},
        {"told": b"m-1;share=1"},
        {"told": b"nonsense"},
        {"via": Via.DIRECT},
        {"via": Via.FALLBACK},
        {"via": Via.MIRROR},
        {"via": Via.CHECK},
        {"outcome": Outcome.ERROR},
        {"outcome": Outcome.REJECTED, "status": 400},
        {"answered_by": "cache"},
        {"answered_by": "stable"},
        {"answered_by": None, "status": 0},
        {"status": 304},
    ],
)
async def test_what_is_not_mirrored(offered: dict[str, Any]) -> None:
    async with staged() as stage:
        stage.offer(**offered)
        stage.offer(via=Via.PIN)  # and after it, one that is
        await stage.comes_to(agreed=1)
        assert len(stage.candidate.asked) == 1


@pytest.mark.parametrize(("dice", "mirrored"), [(0.0, 1), (0.499, 1), (0.5, 0), (0.99, 0)])
async def test_the_share_is_the_routes(dice: float, mirrored: int) -> None:
    async with staged(dice) as stage:
        stage.offer()
        stage.offer(told=b"m-2;share=1")
        await stage.comes_to(agreed=1 + mirrored)


async def test_beyond_a_bound_copies_are_dropped_and_counted() -> None:
    async with staged() as stage:
        stage.candidate.gate.clear()
        for _ in range(MOST_OPEN + 3):
            stage.offer()
        await until(lambda: len(stage.candidate.asked) == MOST_OPEN)
        assert stage.counts.results[Mirrored.DROPPED] == 3
        stage.candidate.gate.set()
        await stage.comes_to(agreed=MOST_OPEN, dropped=3)

        def finds_room() -> bool:
            stage.offer()
            return stage.counts.results[Mirrored.AGREED] > MOST_OPEN

        await until(finds_room)  # a copy gives its place free a moment after it was counted


async def test_large_answers_are_compared_apart() -> None:
    async with staged() as stage:
        text = "a" * 100_000
        stage.candidate.answer = Response(200, b'{"prediction": "%s"}' % text.encode(), headers=NAMED)
        stage.offer(predictions=[{"prediction": text}])
        await stage.comes_to(agreed=1)


async def test_so_are_copies_beyond_a_bound_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "MOST_BYTES", 100)
    async with staged() as stage:
        stage.candidate.gate.clear()
        stage.offer(body=b"x" * 60)
        stage.offer(body=b"x" * 60)
        stage.candidate.gate.set()
        await stage.comes_to(agreed=1, dropped=1)


async def test_another_candidate_is_counted_anew() -> None:
    async with staged() as stage:
        stage.offer()
        await stage.comes_to(agreed=1)
        stage.offer(told=b"m-3;share=1")
        assert stage.counts.candidate == "m-3"
        await stage.comes_to(failed=1)  # for it is m-2 that answers
