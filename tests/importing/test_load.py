"""The load check: its schedule and verdict, and what it finds out about a server that is as slow as we say."""

import asyncio
import itertools
import json
import math
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from viridian_serving.checks.golden import Golden
from viridian_serving.checks.load import Objective, Sent, Trial, highest, measured, next_rate, percentile
from viridian_serving.checks.load_check import LoadPlan, check_load
from viridian_serving.checks.sending import at_rate
from viridian_serving.http1.client import PeerUnreachableError, Reply

QUESTION = Golden("row 1", {"x": 1}, 200, {"prediction": 1.0})
RIGHT = json.dumps({"prediction": 1.0}).encode()
OBJECTIVE = Objective(p99=0.1, max_errors=0.01)
T = TypeVar("T")


class _Skipping(selectors.DefaultSelector):
    """Waits for nothing: where a loop would sleep, its clock goes on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += max(timeout or 0.0, 0.0)
        return super().select(0)


class _VirtualTime(asyncio.SelectorEventLoop):
    """A loop on which seconds of waiting take no time, and all else takes none: a busy machine changes no number."""

    def __init__(self) -> None:
        self._clock = _Skipping()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=_VirtualTime) as runner:
        return runner.run(main)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_a_percentile_is_one_of_the_numbers(share: float, expected: int) -> None:
    assert percentile(range(1, 101), share) == expected


def test_times_count_from_when_a_request_was_due_and_errors_count_as_slow() -> None:
    # given a sender that was held up for 2 s, and one request in three that failed
    sent = [Sent(0.0, 0.0, 0.01), Sent(0.1, 2.1, 2.11), Sent(0.2, 2.1, 2.2, "status 503")]
    # when
    found = measured(sent)
    # then
    assert found.p50 == pytest.approx(2.01)
    assert found.p99 == math.inf
    assert found.lateness == pytest.approx(2.0)
    assert found.errors == {"status 503": 1}
    assert found.fault(OBJECTIVE) == "1 of 3 requests failed, above 0.01: status 503"
    assert found.fault(Objective(1.0, 0.5)) == "p99 is that of an error, above 1 s"


@pytest.mark.parametrize("limit", [0.7, 3.0, 47.0, 1000.0, 20_000.0])
@pytest.mark.parametrize("first", [1.0, 100.0, 5000.0])
@pytest.mark.parametrize("unlucky", [0, 3])
def test_the_search_comes_within_ten_percent_of_the_limit(limit: float, first: float, unlucky: int) -> None:
    """Also where a busy machine spoils every third trial, as no two in a row."""
    trials: list[Trial] = []
    while (rate := next_rate(trials, first)) is not None:
        spoilt = bool(unlucky) and len(trials) % unlucky == unlucky - 1
        trials.append(Trial(rate, rate <= limit and not spoilt))
    found = highest(trials)
    if limit < 1:
        assert found is None or found <= limit
    else:
        assert found is not None
        assert limit / 1.1 <= found <= limit
    assert len(trials) < 45


def test_answers_that_fall_behind_do_not_keep_an_objective_that_is_wide() -> None:
    # given 100 requests a second, of which 80 are answered, for 3 s
    found = measured([Sent(i / 100, i / 100, (i + 1) / 80) for i in range(300)])
    assert found.fault(Objective(5.0, 0.0)) is None
    assert found.fault(Objective(5.0, 0.0), 100.0) == "answers fall behind, at 80 a second"


def test_there_is_no_rate_where_nothing_is_answered() -> None:
    trials = [Trial(1.5, kept=False)] * 2
    assert next_rate(trials, 1.5) is None
    assert highest(trials) is None


class _Server:
    """Answers one request after the other, each within so many seconds; and may stall once."""

    def __init__(self, seconds: float, *, stall: tuple[int, float] = (-1, 0.0), body: bytes = RIGHT) -> None:
        self._seconds = seconds
        self._stall = stall
        self._body = body
        self._free = 0.0
        self._numbers = itertools.count()

    async def post(self, _: bytes) -> Reply:
        loop = asyncio.get_running_loop()
        after, stalled = self._stall
        takes = self._seconds + (stalled if next(self._numbers) == after else 0.0)
        self._free = max(self._free, loop.time()) + takes
        await asyncio.sleep(self._free - loop.time())
        return Reply(200, {}, self._body)


def test_a_stall_shows_in_every_request_that_was_due_meanwhile() -> None:
    # given a server that stalls once for half a second, and 100 requests a second
    server = _Server(0.0, stall=(20, 0.5))
    # when
    found = measured(run(at_rate(server.post, [QUESTION], 100.0, 200)))
    # then a quarter of the requests were due in it, and wait for half of it on average
    waited = [0.5 - i / 100 for i in range(50)]
    assert found.p99 == pytest.approx(percentile(sorted([0.0] * 150 + waited), 0.99))
    assert found.slowest == pytest.approx(0.5)


def test_the_highest_rate_that_a_slow_server_keeps_is_found_and_said() -> None:
    # given a server that answers 200 requests a second
    server = _Server(0.005)
    # when 50 a second are asked for
    report = run(check_load(server.post, [QUESTION], LoadPlan(OBJECTIVE, 100, rate=50.0, trial=1.0)))
    # then
    assert report.faults == []
    assert report.highest is not None
    assert 200 / 1.1 <= report.highest < 240  # of which one trial sees 100 requests wait no longer than 100 ms
    assert report.lines[0].startswith("50 requests a second: p50 ")
    assert report.lines[-1].startswith("highest rate that keeps it: ")


@pytest.mark.parametrize(
    ("plan", "fault"),
    [
        (LoadPlan(OBJECTIVE, 200, rate=1000.0, trial=0.3), "load, 1,000 requests a second: p99 is "),
        (LoadPlan(Objective(0.005, 0.0), 100, clients=20), "load, 20 clients at once: p99 is "),
    ],
)
def test_an_objective_that_is_not_kept_is_a_fault(plan: LoadPlan, fault: str) -> None:
    report = run(check_load(_Server(0.005).post, [QUESTION], plan))
    assert report.faults[0].startswith(fault)


def test_answers_that_differ_and_a_server_that_ends_are_errors() -> None:
    wrong = run(check_load(_Server(0.0, body=b'{"prediction": 2.0}').post, [QUESTION], LoadPlan(OBJECTIVE, 50)))
    assert wrong.faults == ["load: another answer: row 1: prediction is 2.0 and not 1.0; nothing was measured"]

    async def gone(_: bytes) -> Reply:
        raise PeerUnreachableError("nothing listens there")

    ended = run(check_load(gone, [QUESTION], LoadPlan(OBJECTIVE, 50)))
    assert ended.faults == ["load: nothing listens there; nothing was measured"]
