"""A second chance for what this pod's model fails: when stable is asked, what is answered, and what is counted."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from tests.waiting import until

from viridian_serving.api.client_timeout import client_timeout
from viridian_serving.api.fallback import Fallback, ShareBudget, reason_of
from viridian_serving.http1.client import HttpClient
from viridian_serving.http1.messages import Request, Response
from viridian_serving.http1.server import HttpServer
from viridian_serving.inference.batcher import Demand
from viridian_serving.inference.request_context import RequestContext
from viridian_serving.metrics.guard_counters import NANOSECONDS, FallbackReason, FrozenCounters
from viridian_shared.counts.via import Via

GOOD = Response(200, b'"own"')
FAILED = Response(500, b'"failed"', problem="model-failed")
HELP = Response(200, b'"stable"', headers=((b"Viridian-Revision", b"m-1"), (b"Viridian-Version", b"v1")))
INTERVAL = 60.0


@dataclass
class Stable:
    """A pod of the stable revision, with its own way of answering."""

    answer: Response = HELP
    named: str | None = "m-1"
    asked: list[Request] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        await self.gate.wait()
        return self.answer


@dataclass
class Stage:
    stable: Stable
    fallback: Fallback
    counters: FrozenCounters
    server: HttpServer
    demand: Demand = field(default_factory=Demand)
    context: RequestContext | None = None
    """The last request that was asked."""

    async def ask(self, own: "Own", *, seconds: float = 60, **headers: str) -> Response:
        given = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        request = Request(b"POST", b"/predict", given, b'{"i": 1}', time.perf_counter())
        deadline = asyncio.get_running_loop().time() + seconds
        self.context = RequestContext(request, "id-1", Via.SPLIT, deadline)
        self.demand = self.context.demand
        return await self.fallback.answer(self.context, deadline, own())

    @property
    def rescues(self) -> tuple[dict[str, int], dict[str, int]]:
        _, counts = self.counters.published(time.time_ns() + round(INTERVAL * NANOSECONDS))
        return (
            {reason.value: number for reason, number in counts.rescues.items() if number},
            {reason.value: number for reason, number in counts.rescues_failed.items() if number},
        )


class Own:
    """This pod's model: answers at once, or when its gate opens."""

    def __init__(self, response: Response, *, held: bool = False) -> None:
        self.gate = asyncio.Event()
        self.response = response
        self.ended: list[str] = []
        if not held:
            self.gate.set()

    async def __call__(self) -> Response:
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        self.ended.append("answered")
        return self.response


@asynccontextmanager
async def stage(after: float = 60.0) -> AsyncIterator[Stage]:
    stable = Stable()
    stable.gate.set()
    server = HttpServer(1000)
    await server.listen("127.0.0.1", 0, stable)
    port = server._listeners[0].sockets[0].getsockname()[1]
    client = HttpClient("127.0.0.1", port, "stable", keep=2)
    counters = FrozenCounters((0.1, 1.0), INTERVAL, time.time_ns())
    yield Stage(stable, Fallback(client, lambda _: stable.named, after, counters), counters, server)
    client.close()
    await server.close(1)


async def test_a_good_answer_is_nobody_else_s_business() -> None:
    async with stage() as s:
        assert await s.ask(Own(GOOD)) is GOOD
        assert (s.stable.asked, s.rescues) == ([], ({}, {}))


async def test_a_failure_is_answered_by_stable_and_marked() -> None:
    async with stage() as s:
        # when
        answer = await s.ask(Own(FAILED), content_type="application/json", traceparent="00-1", cookie="secret")
        # then the client gets stable's answer, and knows it
        assert (answer.status, answer.body) == (200, b'"stable"')
        headers = dict(answer.headers)
        assert headers[b"Viridian-Fallback"] == b"stable"
        assert (headers[b"Viridian-Revision"], headers[b"Viridian-Version"]) == (b"m-1", b"v1")
        assert headers[b"X-Request-Id"] == b"id-1"
        # and stable got the request, the time that is left, and no more of the client than it needs
        (asked,) = s.stable.asked
        assert (asked.method, asked.path, asked.body) == (b"POST", b"/predict", b'{"i": 1}')
        assert asked.headers[b"viridian-via"] == b"fallback"
        assert asked.headers[b"x-request-id"] == b"id-1"
        assert asked.headers[b"traceparent"] == b"00-1"
        assert b"cookie" not in asked.headers
        assert 40 < (client_timeout(asked) or 0) <= 60
        assert s.rescues == ({"error": 1}, {})


@pytest.mark.parametrize(
    ("status", "problem", "reason"),
    [
        (200, "", None),
        (400, "invalid-input", None),
        (404, "", None),
        (413, "too-many-instances", None),
        (429, "rate-limited", None),
        (503, "queue-full", None),
        (503, "no-room", None),
        (500, "model-died", None),
        (500, "model-given-up", None),
        (500, "model-failed", FallbackReason.ERROR),
        (500, "", FallbackReason.ERROR),
        (502, "bad-answer", FallbackReason.ERROR),
        (503, "", FallbackReason.ERROR),
        (504, "timeout", FallbackReason.ERROR),
        (503, "model-unreachable", FallbackReason.UNREACHABLE),
        (503, "starting", FallbackReason.UNREACHABLE),
    ],
)
async def test_what_stable_is_asked_for(status: int, problem: str, reason: FallbackReason | None) -> None:
    own = Response(status, b"", problem=problem)
    assert reason_of(own) is reason
    async with stage() as s:
        answer = await s.ask(Own(own))
        assert len(s.stable.asked) == (reason is not None)
        assert answer.body == (b"" if reason is None else b'"stable"')
        assert s.rescues == (({}, {}) if reason is None else ({reason.value: 1}, {}))


@pytest.mark.parametrize(
    "answer",
    [
        Response(503, b"busy", headers=((b"Viridian-Revision", b"m-1"),)),
        Response(500, b"failed too", headers=((b"Viridian-Revision", b"m-1"),)),
        Response(400, b"not for me", headers=((b"Viridian-Revision", b"m-1"),)),
        Response(200, b"fine", headers=((b"Viridian-Revision", b"m-9"),)),
        Response(200, b"fine"),
    ],
    ids=["busy", "failed too", "rejected", "another revision", "not a pod of ours"],
)
async def test_what_does_not_help_leaves_the_client_with_its_own_error(answer: Response) -> None:
    async with stage() as s:
        s.stable.answer = answer
        assert await s.ask(Own(FAILED)) is FAILED
        assert len(s.stable.asked) == 1
        assert s.rescues == ({}, {"error": 1})


async def test_stable_is_not_asked_when_nobody_is_known_or_the_time_is_over() -> None:
    async with stage() as s:
        s.stable.named = None
        assert await s.ask(Own(FAILED)) is FAILED
        s.stable.named = "m-1"
        assert await s.ask(Own(FAILED), seconds=0.01) is FAILED
        assert s.stable.asked == []
        assert s.rescues == ({}, {"error": 2})


async def test_stable_that_is_down_or_does_not_answer_in_time_is_no_help() -> None:
    async with stage() as s:
        s.stable.gate.clear()
        assert await s.ask(Own(FAILED), seconds=0.2) is FAILED
        s.stable.gate.set()
        await s.server.close(1)
        assert await s.ask(Own(FAILED)) is FAILED
        assert s.rescues == ({}, {"error": 2})


async def test_no_more_requests_than_stable_can_bear_are_there_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    monkeypatch.setattr("viridian_serving.api.fallback._MOST_ASKED", 3)
    async with stage() as s:
        s.stable.gate.clear()
        # when five fail at the same time
        asking = [asyncio.create_task(s.ask(Own(FAILED))) for _ in range(5)]
        await until(lambda: len(s.stable.asked) == 3 and sum(task.done() for task in asking) == 2)
        s.stable.gate.set()
        # then
        assert sorted(answer.status for answer in await asyncio.gather(*asking)) == [200, 200, 200, 500, 500]
        assert s.rescues == ({"error": 3}, {"error": 2})


# -- the model takes too long


async def test_a_model_that_hangs_is_answered_for_and_its_own_outcome_is_awaited() -> None:
    async with stage(after=0.05) as s:
        own = Own(GOOD, held=True)
        # when
        answer = await s.ask(own)
        # then the client has its answer, and the request runs on here though nobody waits for it
        assert answer.body == b'"stable"'
        assert s.rescues == ({"hung": 1}, {})
        assert s.demand.abandoned
        assert own.ended == []
        own.gate.set()
        await until(lambda: own.ended == ["answered"])


async def test_of_a_hurried_client_s_time_stable_gets_half() -> None:
    async with stage(after=60) as s:
        own = Own(GOOD, held=True)
        # when a client waits for less than the model may take
        answer = await s.ask(own, seconds=0.4, viridian_timeout_ms="400")
        # then stable has answered in time
        assert answer.body == b'"stable"'
        own.gate.set()
        await until(lambda: own.ended == ["answered"])


async def test_the_own_answer_is_taken_when_it_comes_first() -> None:
    async with stage(after=0.05) as s:
        s.stable.gate.clear()
        own = Own(GOOD, held=True)
        asking = asyncio.create_task(s.ask(own))
        await until(lambda: s.stable.asked)
        own.gate.set()
        assert await asking is GOOD
        assert not s.demand.abandoned
        assert s.rescues == ({}, {})


async def test_a_late_failure_waits_for_stable_which_is_asked_once() -> None:
    async with stage(after=0.05) as s:
        s.stable.gate.clear()
        own = Own(FAILED, held=True)
        asking = asyncio.create_task(s.ask(own))
        await until(lambda: s.stable.asked)
        own.gate.set()
        await until(lambda: own.ended)
        s.stable.gate.set()
        assert (await asking).body == b'"stable"'
        assert len(s.stable.asked) == 1


async def test_when_stable_cannot_help_either_the_own_answer_is_awaited() -> None:
    async with stage(after=0.05) as s:
        s.stable.answer = Response(503, b"busy")
        own = Own(GOOD, held=True)
        asking = asyncio.create_task(s.ask(own))
        await until(lambda: s.rescues[1])
        own.gate.set()
        assert await asking is GOOD
        assert len(s.stable.asked) == 1


async def test_a_slow_model_that_works_may_send_only_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a model that answers others all the time
    monkeypatch.setattr("viridian_serving.api.fallback._SLOW_BURST", 2.0)
    async with stage(after=0.05) as s:
        s.fallback._last_good = math.inf
        # when more requests are slow than the share allows
        slow = [Own(GOOD, held=True) for _ in range(6)]
        asking = [asyncio.create_task(s.ask(own)) for own in slow]
        await until(lambda: sum(task.done() for task in asking) == 2)
        # then the others wait for the model, until it answers them
        await asyncio.sleep(0.2)
        assert sum(task.done() for task in asking) == 2
        for own in slow:
            own.gate.set()
        bodies = [answer.body for answer in await asyncio.gather(*asking)]
        assert (bodies.count(b'"stable"'), bodies.count(b'"own"')) == (2, 4)
        assert s.rescues == ({"slow": 2}, {})


async def test_when_the_model_stands_still_meanwhile_they_wait_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("viridian_serving.api.fallback._SLOW_BURST", 0.0)
    async with stage(after=0.05) as s:
        s.fallback._last_good = math.inf
        asking = asyncio.create_task(s.ask(Own(GOOD, held=True)))
        await asyncio.sleep(0.2)
        assert not asking.done()
        s.fallback._last_good = 0.0
        assert (await asking).body == b'"stable"'
        assert s.rescues == ({"hung": 1}, {})


def test_a_budget_is_a_share_of_what_came() -> None:
    budget = ShareBudget(0.1, 2.0)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    spent = 0
    for _ in range(1000):
        budget.earn()
        spent += budget.spend()
    assert 99 <= spent <= 101
    for _ in range(1000):
        budget.earn()
    assert [budget.spend() for _ in range(3)] == [True, True, False]


async def test_only_so_many_requests_run_on_after_their_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("viridian_serving.api.fallback._MOST_MEASURED", 3)
    async with stage(after=0.01) as s:
        hung = [Own(GOOD, held=True) for _ in range(5)]
        for own in hung:
            await s.ask(own)
        await until(lambda: [own.ended for own in hung] == [["cancelled"], ["cancelled"], [], [], []])


async def test_bodies_of_such_requests_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("viridian_serving.api.fallback._MOST_MEASURED_BYTES", 20)
    async with stage(after=0.01) as s:
        hung = [Own(GOOD, held=True) for _ in range(4)]  # of eight bytes each
        for own in hung:
            await s.ask(own)
        await until(lambda: [own.ended for own in hung] == [["cancelled"], ["cancelled"], [], []])
        hung[2].gate.set()
        await until(lambda: hung[2].ended == ["answered"])
        last = [Own(GOOD, held=True) for _ in range(2)]
        for own in last:
            await s.ask(own)
        await until(lambda: [own.ended for own in (hung[3], *last)] == [["cancelled"], [], []])


# -- clients that leave


async def test_nobody_is_asked_for_a_client_that_has_left() -> None:
    async with stage() as s:
        own = Own(FAILED, held=True)
        request = Request(b"POST", b"/predict", {}, b"", time.perf_counter())
        deadline = asyncio.get_running_loop().time() + 5
        asking = asyncio.create_task(
            s.fallback.answer(RequestContext(request, "id", Via.SPLIT, deadline), deadline, own())
        )
        await asyncio.sleep(0)
        request.gone = True
        own.gate.set()
        assert await asking is FAILED
        assert s.stable.asked == []


async def test_what_is_cancelled_takes_its_own_work_with_it() -> None:
    async with stage() as s:
        own = Own(GOOD, held=True)
        asking = asyncio.create_task(s.ask(own))
        await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await until(lambda: own.ended == ["cancelled"])


@pytest.mark.parametrize(
    ("header", "seconds"), [(b"1500", 1.5), (b"0", None), (b"", None), (b"-1", None), (b"1e9", None), (b"9" * 50, None)]
)
def test_the_time_that_is_left_is_read_with_care(header: bytes, seconds: float | None) -> None:
    assert client_timeout(Request(b"POST", b"/", {b"viridian-timeout-ms": header}, b"", 0)) == seconds
