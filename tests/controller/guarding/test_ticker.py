"""The one ticker: rollbacks at once, everything else by waking the workers."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.controller.counters import INTERVAL, Fleet
from tests.controller.fakes import NAMESPACE, FakeApi, model, spec, status
from tests.waiting import until

from viridian.api.model_key import ModelKey
from viridian.api.names import ANNOTATION_ABORTED, ANNOTATION_EPOCH, ANNOTATION_SEQ, Color
from viridian.controller.cache.models import Model, Models
from viridian.controller.guarding import ticker as module
from viridian.controller.guarding.monitor import GuardMonitor
from viridian.controller.guarding.own_pods import OwnPods
from viridian.controller.guarding.ticker import Ticker
from viridian.controller.runtime.queue import WorkQueue
from viridian.guards.series import PodCounters, RequestCounts
from viridian.kube.client import Manifest
from viridian.kube.errors import Refused, Unavailable
from viridian.kube.resources import HTTP_ROUTE, SERVICE, Kind
from viridian.metrics.connection import MetricsError
from viridian.metrics.prometheus import PodSamples, Samples
from viridian.traffic.route import read_route

IRIS, WINE = ("default", "iris"), ("default", "wine")
ALL_STABLE = {Color.BLUE: 100, Color.GREEN: 0}
HALF = {Color.BLUE: 50, Color.GREEN: 50}
EPOCH = "3-0123abcd"


class FakePrometheus:
    """Has what the fleets have counted; a model in `forgotten` cannot be read as of an earlier moment."""

    def __init__(self) -> None:
        self.fleets: dict[ModelKey, Fleet] = {}
        self.forgotten: set[ModelKey] = set()
        self.trouble: Exception | None = None
        self.asked = 0

    async def read(
        self, keys: Iterable[ModelKey], bounds: Sequence[float], at: float | None = None, back: float = 0.0
    ) -> dict[ModelKey, Samples]:
        self.asked += 1
        wanted = set(keys)
        if self.trouble is not None:
            raise self.trouble
        if at is not None and wanted & self.forgotten:
            raise MetricsError("Prometheus has the counters of pod p1 of default/wine twice")
        return {key: self.fleets[key].samples for key in wanted if key in self.fleets}


class Journal(WorkQueue[ModelKey]):
    """The work queue, which also tells what was woken, and after how many writes."""

    def __init__(self, api: FakeApi) -> None:
        super().__init__()
        self._api = api
        self.woken: list[tuple[ModelKey, int]] = []

    def add(self, key: ModelKey) -> None:
        self.woken.append((key, len(self._api.writes)))
        super().add(key)


class SkewedFleet(Fleet):
    """A fleet, and one more pod of its candidate: the clock of that one's node is five minutes ahead."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet.name, fleet.stamp)
        self.fleet = fleet

    @property
    def samples(self) -> Samples:
        samples, candidate = self.fleet.samples, f"{self.name}-2"
        ahead = PodSamples((PodCounters(self.fleet.stamp + 300, RequestCounts(7)),), 7, self.fleet.stamp + 0.5)
        return {**samples, candidate: {**samples[candidate], "ahead-of-time": ahead}}


class Stage:
    """A ticker with all that it needs, and models with fleets that answer users."""

    def __init__(self, interval: float = INTERVAL) -> None:
        self.api, self.prometheus, self.models = FakeApi(), FakePrometheus(), Models()
        self.monitor, self.queue = GuardMonitor(interval), Journal(self.api)
        self.pods = OwnPods(timedelta(seconds=interval))
        parts = (self.api, self.prometheus, self.models, self.monitor, self.pods, self.queue)
        self.ticker = Ticker(*parts, timedelta(seconds=interval), EPOCH)

    def roll(self, name: str = "iris", **parts: Any) -> Fleet:
        """A model in the middle of a rollout, half of its traffic on the candidate."""
        seen: Model = model(name, **{"status": status(name), **parts})
        self.models.see(seen.manifest)
        self.api.put_children(name, seen.owner, HALF)
        fleet = self.prometheus.fleets[seen.key] = Fleet(name, stamp=time.time())
        self.pods.note(seen.key, fleet.pods, datetime.now(UTC))
        return fleet

    async def tick(self) -> None:
        self.queue.woken.clear()
        await self.ticker.tick()

    async def turn_bad(self, *fleets: Fleet, ticks: int = 1) -> None:
        """A first look, and then ticks in which candidates fail all of their requests."""
        await self.tick()
        for _ in range(ticks):
            for fleet in fleets:
                fleet.serve(errors=100)
            await self.tick()

    def route(self, name: str = "iris") -> Manifest:
        return self.api.objects[HTTP_ROUTE, NAMESPACE, name]

    def gives(self, name: str = "iris") -> dict[Color, int]:
        (weights,) = read_route(name, self.route(name)).weights
        return dict(weights)


@pytest.fixture
async def stage() -> Stage:
    return Stage()


async def test_a_breach_is_one_patch_of_the_route_before_anything_else(stage: Stage) -> None:
    # given a candidate that has half of the traffic
    fleet = stage.roll()
    await stage.tick()
    assert stage.api.writes == []

    # when it turns bad
    fleet.serve(errors=100)
    await stage.tick()

    # then all traffic is on stable by one write, with a mark, before any worker hears of it
    assert stage.api.writes == [("patch", HTTP_ROUTE, "iris")]
    assert stage.queue.woken == [(IRIS, 1)]
    assert stage.gives() == ALL_STABLE
    assert stage.route()["metadata"]["annotations"] == {ANNOTATION_SEQ: "2", ANNOTATION_ABORTED: "iris-2"}
    evidence = stage.monitor.evidence(IRIS)
    assert evidence.reverted_at is not None
    assert evidence.breached_at is not None

    # and later ticks, still with a bad candidate, write nothing more
    fleet.serve(errors=100)
    await stage.tick()
    await stage.tick()
    assert len(stage.api.writes) == 1
    assert stage.monitor.evidence(IRIS).reverted_at == evidence.reverted_at


async def test_a_pod_whose_clock_is_ahead_blinds_nobody_and_is_named(stage: Stage) -> None:
    # given a second candidate pod whose clock is five minutes ahead
    fleet = stage.roll()
    skewed = SkewedFleet(fleet)
    stage.pods.note(IRIS, skewed.pods, datetime.now(UTC))
    stage.prometheus.fleets[IRIS] = skewed
    await stage.tick()
    assert "the clock of pod ahead-of-time is" in stage.monitor.evidence(IRIS).trouble

    # when the other one fails all requests
    fleet.serve(errors=100)
    await stage.tick()

    # then that is seen at once
    assert stage.gives() == ALL_STABLE


async def test_a_good_candidate_moves_nothing(stage: Stage) -> None:
    fleet = stage.roll()
    for _ in range(10):
        fleet.serve()
        await stage.tick()
    assert stage.api.writes == []
    assert stage.queue.woken == [(IRIS, 0)]


async def test_without_metrics_weights_stay_and_workers_are_woken(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    # given two rollouts
    fleet = stage.roll()
    stage.roll("wine")
    await stage.tick()

    # when Prometheus is away while a candidate turns bad
    fleet.serve(errors=100)
    stage.prometheus.trouble = MetricsError("Prometheus did not answer: check that it runs")
    await stage.tick()
    await stage.tick()

    # then nothing is written, time goes on for both models, and it is said once
    assert stage.api.writes == []
    assert {key for key, _ in stage.queue.woken} == {IRIS, WINE}
    assert caplog.text.count("default/iris cannot be judged, its weights stay as they are: Prometheus did not") == 1

    # and when it is back, then the candidate is rolled back
    stage.prometheus.trouble = None
    await stage.tick()
    assert stage.gives() == ALL_STABLE


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param({"spec": {}}, id="a spec that cannot be read"),
        pytest.param({"status": {"phase": "Fine"}}, id="a status that cannot be read"),
        pytest.param(
            {"spec": {**model().manifest["spec"], "guards": {"errorRate": {"max": "100%"}}}},
            id="a guard that cannot be",
        ),
    ],
)
async def test_a_model_that_cannot_be_read_does_not_stop_the_others(stage: Stage, parts: dict[str, Any]) -> None:
    broken, fleet = stage.roll("wine", **parts), stage.roll("iris")
    await stage.turn_bad(fleet, broken)
    assert stage.gives("iris") == ALL_STABLE
    assert stage.gives("wine") == HALF
    # Its worker tells the user what is wrong.
    assert {key for key, _ in stage.queue.woken} == {IRIS, WINE}


async def test_a_model_that_cannot_be_judged_does_not_stop_the_others(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    # given an operator that goes on after a restart, and a model whose earlier counters cannot be read
    before = Stage()
    await before.turn_bad(before.roll("wine"), ticks=0)
    saved = before.monitor.evidence(WINE).state
    odd, fleet = stage.roll("wine", status=status("wine", guardState=saved)), stage.roll("iris")
    stage.prometheus.forgotten = {WINE}

    # when both candidates turn bad
    await stage.turn_bad(odd, fleet, ticks=2)

    # then the other one is rolled back, and both go on; what is wrong is said once
    assert stage.gives("iris") == ALL_STABLE
    assert stage.gives("wine") == HALF
    assert {key for key, _ in stage.queue.woken} == {IRIS, WINE}
    assert stage.monitor.evidence(WINE).fresh_at is None
    assert caplog.text.count("default/wine cannot be judged") == 1

    # and once they can be read, then that one is judged too
    stage.prometheus.forgotten = set()
    await stage.tick()
    odd.serve(errors=100)
    await stage.tick()
    assert stage.gives("wine") == ALL_STABLE


@pytest.mark.parametrize("trouble", [Unavailable(503, "no answer"), Refused(403, "forbidden")])
async def test_a_rollback_that_could_not_be_written_is_tried_again(stage: Stage, trouble: Exception) -> None:
    # given two candidates that turn bad, and an API that fails the first write
    fleets = stage.roll("iris"), stage.roll("wine")
    stage.api.trouble = [trouble]
    await stage.turn_bad(*fleets)

    # then the other model is rolled back all the same
    assert sorted([stage.gives("iris"), stage.gives("wine")], key=str) == sorted([ALL_STABLE, HALF], key=str)
    assert len(stage.queue.woken) == 2

    # and the next tick tries again, without waiting for another scrape
    await stage.tick()
    assert stage.gives("iris") == stage.gives("wine") == ALL_STABLE


async def test_a_route_that_moves_under_a_rollback_is_read_again(stage: Stage) -> None:
    # given a worker that writes between the ticker's read and its patch
    fleet = stage.roll()
    patch, late = stage.api.patch, [True]

    async def patch_late(kind: Kind, namespace: str, name: str, operations: list[dict[str, Any]]) -> Manifest:
        if late.pop() if late else False:
            stage.route()["metadata"]["annotations"][ANNOTATION_SEQ] = "7"
        return await patch(kind, namespace, name, operations)

    stage.api.patch = patch_late  # type: ignore[method-assign]

    # when the candidate turns bad
    await stage.turn_bad(fleet)

    # then the second attempt of the same tick lands
    assert stage.gives() == ALL_STABLE
    assert stage.route()["metadata"]["annotations"][ANNOTATION_SEQ] == "8"


def no_route(stage: Stage) -> None:
    del stage.api.objects[HTTP_ROUTE, NAMESPACE, "iris"]


def route_of_somebody_else(stage: Stage) -> None:
    stage.route()["metadata"]["ownerReferences"] = [{"uid": "old", "kind": "ModelDeployment", "name": "iris"}]


def nothing(_: Stage) -> None:
    pass


GONE = {"color": "blue", "revision": "iris-1", "version": "v1.0.0", "ready": 0}


@pytest.mark.parametrize(
    ("changes", "prepare"),
    [
        pytest.param({"stable": GONE}, nothing, id="stable has no ready pod"),
        pytest.param({"stable": None}, nothing, id="a first revision that starts"),
        pytest.param({"stable": {**GONE, "ready": 2}, "candidate": None}, nothing, id="a first revision that bakes"),
        pytest.param({}, no_route, id="no route"),
        pytest.param({}, route_of_somebody_else, id="somebody else's route"),
    ],
)
async def test_where_nobody_could_take_over_the_ticker_writes_nothing(
    stage: Stage, changes: dict[str, Any], prepare: Callable[[Stage], None]
) -> None:
    # given a rollout in which going back would help nobody, or has no route to do it
    fleet = stage.roll(status=status(**changes))
    prepare(stage)

    # when the revision under session fails all requests, whichever it is
    fleet.requests["iris-1"] = 0
    await stage.tick()
    for _ in range(3):
        fleet.serve(stable=0, errors=100)
        fleet.requests["iris-1"] += 100
        fleet.errors["iris-1"] = fleet.errors.get("iris-1", 0) + (100 if changes.get("candidate", 1) is None else 0)
        await stage.tick()

    # then the breach is known, and left to the worker
    assert stage.monitor.evidence(IRIS).breached_at is not None
    assert stage.monitor.evidence(IRIS).reverted_at is None
    assert stage.api.writes == []
    assert stage.queue.woken == [(IRIS, 0)]


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
            await until(lambda: stage.monitor.evidence(IRIS).fresh_at is not None)
            fleet.serve(errors=100)

            # then it is rolled back, and the ticker is well
            await until(lambda: stage.gives() == ALL_STABLE)
        await until(lambda: stage.ticker.age < 1)
        assert not running.done()
    finally:
        running.cancel()


async def test_nobody_is_judged_by_pods_that_are_not_its_own(stage: Stage) -> None:
    # given a candidate, and series in its name of a pod that the API server does not know as one of its
    fleet = stage.roll()
    stage.prometheus.fleets[IRIS] = stranger = Fleet(stamp=fleet.stamp, pod="stranger")
    await stage.turn_bad(stranger, ticks=3)
    assert stage.gives() == HALF
    assert stage.monitor.evidence(IRIS).reporting == {}

    # when it is its own pod that fails, then it is rolled back
    stage.prometheus.fleets[IRIS] = fleet
    await stage.turn_bad(fleet)
    assert stage.gives() == ALL_STABLE


async def test_a_model_is_judged_once_somebody_knows_its_pods(stage: Stage) -> None:
    # given a candidate that fails, and an operator that has just begun
    fleet = stage.roll()
    stage.pods.forget(IRIS)
    await stage.turn_bad(fleet, ticks=2)
    assert stage.gives() == HALF
    assert {key for key, _ in stage.queue.woken} == {IRIS}

    # when a worker has looked
    stage.pods.note(IRIS, fleet.pods, datetime.now(UTC))
    await stage.turn_bad(fleet)
    assert stage.gives() == ALL_STABLE


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


@pytest.mark.parametrize(
    ("theirs", "lands"),
    [
        ("4-0123abcd", False),  # somebody has led since: our machine was suspended, and does not know it
        ("3-0123abcd", True),
        ("2-0123abcd", True),
        ("10-0123abcd", False),
        ("9-ffffffff", True),  # of a Lease that was deleted since
    ],
)
@pytest.mark.parametrize("routed", [True, False])
async def test_over_what_a_later_leader_wrote_nothing_is_taken_back(
    stage: Stage, theirs: str, lands: bool, routed: bool
) -> None:
    # given a bad candidate, and what carries its traffic with the mark of some term
    fleet = stage.roll(**({} if routed else {"spec": spec(traffic={}).manifest()}))
    kind = HTTP_ROUTE if routed else SERVICE
    carrier = stage.api.objects[kind, NAMESPACE, "iris"]["metadata"]
    carrier["annotations"] = {**carrier.get("annotations", {}), ANNOTATION_EPOCH: theirs}
    # when it breaches
    fleet.serve(errors=0)
    await stage.turn_bad(fleet)
    # then it is rolled back, unless a later leader may have promoted it meanwhile
    assert any(write[1] is kind for write in stage.api.writes) is lands


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
