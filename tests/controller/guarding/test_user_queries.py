"""Users' own queries from the spec to a verdict, apart from the ticker."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.controller.counters import INTERVAL, Fleet
from tests.controller.fakes import model, spec, status

from viridian.controller.cache.models import Models
from viridian.controller.guarding.monitor import GuardMonitor
from viridian.controller.guarding.user_queries import UserQueryPoller
from viridian.guards.judge import Judgement, Verdict
from viridian.guards.queries import EVERY
from viridian.metrics.connection import MetricsError

IRIS = ("default", "iris")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
DRIFT = {"name": "drift", "query": "drift{r='$revision'}", "max": "0.2"}


class Endpoint:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.number: float | Exception = 0.1
        self.asked: list[tuple[str, str]] = []
        self.slow = asyncio.Event()
        self.slow.set()

    async def ask(self, namespace: str, query: str) -> float:
        self.asked.append((namespace, query))
        await self.slow.wait()
        if isinstance(self.number, Exception):
            raise self.number
        return self.number


class Stage:
    """A model in the middle of a rollout, with queries."""

    def __init__(self, *queries: dict[str, str], enabled: bool = True, **parts: Any) -> None:
        self.models, self.monitor, self.endpoint = Models(), GuardMonitor(INTERVAL), Endpoint()
        self.poller = UserQueryPoller(self.endpoint if enabled else None, self.models, self.monitor)  # type: ignore[arg-type]
        self.now, self.version = NOW, 0
        self.see(*queries, **parts)

    def see(self, *queries: dict[str, str], **parts: Any) -> None:
        self.version += 1
        wanted = spec(guards={"queries": list(queries)}).manifest()
        self.models.see(model(version=self.version, spec=wanted, **{"status": status(), **parts}).manifest)

    async def look(self, seconds: float = 0) -> list[Judgement]:
        """Time passes, and what is due is asked."""
        self.now += timedelta(seconds=seconds)
        self.poller.look(self.now)
        await self.poller.settle()
        return [j for j in self.monitor.evidence(IRIS).judgements if j.kind == "query"]


async def test_a_query_is_asked_for_the_candidate_every_thirty_seconds() -> None:
    stage = Stage(DRIFT)
    (judgement,) = await stage.look()
    assert judgement.verdict is Verdict.HEALTHY
    assert stage.endpoint.asked == [("default", "drift{r='iris-2'}")]
    await stage.look(EVERY - 1)
    assert len(stage.endpoint.asked) == 1
    await stage.look(1)
    assert len(stage.endpoint.asked) == 2


async def test_three_bad_answers_are_a_breach_like_any_other() -> None:
    # given a candidate whose counters are fine
    stage, fleet = Stage(DRIFT), Fleet(stamp=NOW.timestamp())
    stage.endpoint.number = 0.5

    # when its query is above the maximum time and again
    verdicts = [(await stage.look(EVERY))[0].verdict for _ in range(3)]
    assert verdicts == [Verdict.NOT_ENOUGH_DATA, Verdict.NOT_ENOUGH_DATA, Verdict.BREACH]

    # then the ticker hears of it, with or without counters, and so do the workers
    sample = next(stage.models.moving())
    for samples in ({}, fleet.samples):
        breaches = stage.monitor.ingest(IRIS, sample.spec, samples, NOW)
        assert [breach.guard for breach in breaches] == ["query-drift"]
    assert stage.monitor.evidence(IRIS).breached_at is not None


async def test_no_step_goes_forward_on_a_query_that_does_not_speak() -> None:
    stage = Stage(DRIFT)
    stage.endpoint.number = MetricsError("there is no sample")
    (judgement,) = await stage.look()
    assert judgement.sentence == "Query drift is inconclusive: there is no sample."
    assert "query-drift (no number within its maximum)" in stage.monitor.evidence(IRIS).missing
    stage.endpoint.number = 0.1
    await stage.look(EVERY)
    assert "query-drift (no number within its maximum)" not in stage.monitor.evidence(IRIS).missing


async def test_without_an_endpoint_queries_are_ignored_and_that_is_said() -> None:
    stage = Stage(DRIFT, enabled=False)
    (judgement,) = await stage.look()
    assert judgement.verdict is Verdict.IGNORED
    assert "prometheus.userQueries.url" in judgement.sentence
    assert stage.endpoint.asked == []
    assert not [guard for guard in stage.monitor.evidence(IRIS).missing if "drift" in guard]


async def test_a_candidate_without_requests_is_not_asked_about() -> None:
    stage = Stage(DRIFT, status=status(weight=0))
    (judgement,) = await stage.look()
    assert (judgement.verdict, stage.endpoint.asked) == (Verdict.NOT_ENOUGH_DATA, [])


async def test_a_slow_answer_is_not_asked_for_twice_and_holds_up_no_other() -> None:
    stage = Stage(DRIFT, {**DRIFT, "name": "other"})
    stage.endpoint.slow.clear()
    for _ in range(3):
        stage.now += timedelta(seconds=EVERY)
        stage.poller.look(stage.now)
        await asyncio.sleep(0)
    assert len(stage.endpoint.asked) == 2
    stage.endpoint.slow.set()
    assert {judgement.verdict for judgement in await stage.look()} == {Verdict.HEALTHY}


async def test_an_edited_query_begins_anew_and_one_that_was_taken_out_is_gone() -> None:
    stage = Stage(DRIFT, {**DRIFT, "name": "other"})
    stage.endpoint.number = 0.5
    for _ in range(2):
        await stage.look(EVERY)
    stage.see({**DRIFT, "max": "0.4"})
    (judgement,) = await stage.look()
    assert (judgement.guard, judgement.e_value) == ("query-drift", 1)


async def test_an_answer_to_what_was_asked_before_an_edit_does_not_count() -> None:
    stage = Stage(DRIFT)
    stage.endpoint.slow.clear()
    stage.poller.look(stage.now)
    await asyncio.sleep(0)
    stage.see({**DRIFT, "query": "other"})
    stage.poller.look(stage.now)
    stage.endpoint.number = 0.5
    stage.endpoint.slow.set()
    await stage.poller.settle()
    (judgement,) = (j for j in stage.monitor.evidence(IRIS).judgements if j.kind == "query")
    assert (judgement.verdict, judgement.e_value) == (Verdict.NOT_ENOUGH_DATA, 0)


async def test_stable_cannot_stand_for_a_revision_that_is_not_there() -> None:
    stage = Stage({**DRIFT, "query": "a{r='$stable'}"}, status=status(candidate=None))
    (judgement,) = await stage.look()
    assert "$stable has no value" in judgement.sentence
    assert stage.endpoint.asked == []


async def test_models_at_rest_or_unreadable_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(DRIFT, status={"phase": "Stable"})
    stage.poller.look(stage.now)
    stage.models.see(model(version=9, spec={}, status=status()).manifest)
    stage.poller.look(stage.now)
    await stage.poller.settle()
    assert stage.endpoint.asked == []


async def test_an_error_that_nobody_thought_of_is_told_and_the_next_look_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Stage(DRIFT)
    stage.endpoint.number = RuntimeError("out of the blue")
    await stage.look()
    await asyncio.sleep(0)
    assert "query drift failed" in caplog.text
    stage.endpoint.number = 0.1
    (judgement,) = await stage.look(EVERY)
    assert judgement.verdict is Verdict.HEALTHY
