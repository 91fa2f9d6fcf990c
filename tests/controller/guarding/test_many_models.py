"""The ticker with many models: how often it asks, and that none delays another."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from tests.controller.counters import Fleet
from tests.controller.fakes import status
from tests.controller.guarding.ticking import ALL_STABLE, HALF, IRIS, WINE, Stage
from tests.waiting import until

from viridian.api.model_key import ModelKey
from viridian.controller.guarding import ticker as module
from viridian.kube.client import Manifest
from viridian.kube.resources import HTTP_ROUTE, Kind


@pytest.mark.parametrize("phase", ["Stable", "RolledBack", "Expired"])
async def test_models_at_rest_cost_nothing(stage: Stage, phase: str) -> None:
    stage.roll(status={"phase": phase})
    await stage.tick()
    assert (stage.prometheus.asked, stage.queue.woken) == (0, [])


async def test_many_models_take_one_look(stage: Stage) -> None:
    for number in range(30):
        stage.roll(f"model-{number}").serve()
    await stage.tick()
    assert stage.prometheus.asked == 1
    assert len(stage.queue.woken) == 30


async def test_a_restart_with_many_rollouts_takes_one_more_look(stage: Stage) -> None:
    # given many rollouts that an operator had judged for a while
    names = [f"model-{number}" for number in range(30)]
    before = Stage()
    for name in names:
        before.roll(name).serve()
    await before.tick()

    # when another one goes on from their statuses
    for name in names:
        stage.roll(name, status=status(name, guardState=before.monitor.evidence(("default", name)).state)).serve()
    await stage.tick()

    # then one query brings the counters of now, and another one those at the saved timestamps
    assert stage.prometheus.asked == 2
    assert all(stage.monitor.needs_earlier(("default", name)) is None for name in names)
    await stage.tick()
    assert stage.prometheus.asked == 3


async def test_a_tick_that_fails_is_not_the_last_one(caplog: pytest.LogCaptureFixture) -> None:
    # given a ticker that runs, and an error that nobody thought of
    stage = Stage(interval=0.02)
    fleet = stage.roll()
    stage.prometheus.trouble = RuntimeError("out of the blue")
    running = asyncio.create_task(stage.ticker.run())
    try:
        async with asyncio.timeout(120):
            await until(lambda: "a tick failed" in caplog.text)

            # when the error passes, and the candidate turns bad
            stage.prometheus.trouble = None
            await until(lambda: serves(fleet) and stage.monitor.evidence(IRIS).fresh_at is not None)

            # then it is rolled back, and the ticker is well
            await until(lambda: serves(fleet, errors=100) and stage.gives() == ALL_STABLE)
        await until(lambda: stage.ticker.age < 1)
        assert not running.done()
    finally:
        running.cancel()


def serves(fleet: Fleet, errors: int = 0) -> Fleet:
    """Serves up to now: counters of a while ago, as after a pause of a busy machine, are too old to judge by."""
    fleet.stamp = time.time()
    fleet.serve(errors=errors)
    return fleet


async def test_one_model_whose_counters_break_something_holds_up_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given two models, and something about the counters of one that nobody has thought of
    iris, _ = stage.roll(), stage.roll("wine")
    ingest = stage.monitor.ingest

    def judge(key: ModelKey, *parts: Any) -> Any:
        if key == WINE:
            raise OverflowError("int too large to convert to float")
        return ingest(key, *parts)

    monkeypatch.setattr(stage.monitor, "ingest", judge)
    # when the other one's candidate turns bad
    await stage.turn_bad(iris)
    # then it is rolled back, both are looked at by workers, and the user of the broken one is told
    assert stage.gives() == ALL_STABLE
    assert {key for key, _ in stage.queue.woken} == {IRIS, WINE}
    assert "OverflowError: int too large" in stage.monitor.evidence(WINE).trouble


async def test_a_tick_that_fails_still_wakes_the_workers(stage: Stage) -> None:
    stage.roll()
    stage.prometheus.trouble = RuntimeError("nobody has thought of this")
    with pytest.raises(RuntimeError):
        await stage.tick()
    assert [key for key, _ in stage.queue.woken] == [IRIS]


async def test_a_route_that_is_slow_to_be_written_delays_no_other_rollback(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given two bad candidates, the route of one of which hangs in a webhook
    fleets = [stage.roll(), stage.roll("wine")]
    patch, written = stage.api.patch, asyncio.Event()

    async def slow(kind: Kind, namespace: str, name: str, operations: list[dict[str, Any]]) -> Manifest:
        if name == "wine":
            await written.wait()
        return await patch(kind, namespace, name, operations)

    monkeypatch.setattr(stage.api, "patch", slow)
    monkeypatch.setattr(stage.ticker, "_period", 0.01)
    # when ticks go on
    await stage.turn_bad(*fleets, ticks=3)
    # then the other one is back at once, and the slow one is asked for only once
    assert (stage.gives(), stage.gives("wine")) == (ALL_STABLE, HALF)
    # and is back as soon as it can be
    written.set()
    await stage.tick()
    assert stage.gives("wine") == ALL_STABLE
    assert sum(write == ("patch", HTTP_ROUTE, "wine") for write in stage.api.writes) == 1


async def test_a_past_that_is_slow_to_be_read_delays_nobody_who_needs_none(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a model that goes on after a restart, whose past takes its time, and one that just began
    before = Stage()
    await before.turn_bad(before.roll("wine"), ticks=0)
    stage.roll("wine", status=status("wine", guardState=before.monitor.evidence(WINE).state))
    iris = stage.roll()
    read, answered = stage.prometheus.read, asyncio.Event()

    async def slow(
        keys: Iterable[ModelKey], bounds: Sequence[float], at: float | None = None, back: float = 0.0
    ) -> Any:
        if at is not None:
            await answered.wait()
        return await read(keys, bounds, at, back)

    monkeypatch.setattr(stage.prometheus, "read", slow)
    monkeypatch.setattr(stage.ticker, "_period", 0.01)
    # when the young one's candidate turns bad, then it is back at once
    await stage.turn_bad(iris)
    assert stage.gives() == ALL_STABLE
    assert stage.monitor.needs_earlier(WINE) is not None
    # and the other one is judged when its past is there
    answered.set()
    await stage.tick()
    assert stage.monitor.needs_earlier(WINE) is None


async def test_a_model_that_waits_for_a_person_is_looked_at_now_and_then(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a rollout that a person has paused
    hold = {"reason": "Paused", "message": "paused", "since": "2026-01-01T00:00:00Z"}
    fleet = stage.roll(status=status(phase="Held", hold=hold))
    # when the ticker goes on
    looks = []
    for _ in range(3):
        fleet.serve()
        await stage.tick()
        looks.append(len(stage.queue.woken))
    # then workers look once, and again after a while
    assert looks == [1, 0, 0]
    monkeypatch.setattr(module, "WAITS", timedelta(0))
    await stage.tick()
    assert len(stage.queue.woken) == 1
    # but at once when its candidate turns bad, which is rolled back by the ticker as ever
    monkeypatch.setattr(module, "WAITS", timedelta(hours=1))
    fleet.serve(errors=100)
    await stage.tick()
    assert len(stage.queue.woken) == 1
    assert stage.gives() == ALL_STABLE
