"""The ticker: what it writes, and what it leaves to others."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.controller.counters import Fleet
from tests.controller.fakes import NAMESPACE, model, spec, status
from tests.controller.guarding.ticking import ALL_STABLE, HALF, IRIS, WINE, Stage

from viridian.api.names import ANNOTATION_ABORTED, ANNOTATION_EPOCH, ANNOTATION_SEQ
from viridian.guards.series import PodCounters, RequestCounts
from viridian.kube.client import Manifest
from viridian.kube.errors import Refused, Unavailable
from viridian.kube.resources import HTTP_ROUTE, SERVICE, Kind
from viridian.metrics.connection import MetricsError
from viridian.metrics.prometheus import PodSamples, Samples


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


WATCH = {
    "since": "2026-01-01T00:00:00Z",
    "control": {"color": "green", "revision": "iris-2", "version": "v2.0.0", "ready": 2},
}
"""The way back goes as fast as the control's pods carry it, which is for the worker to count."""
GONE = {"color": "blue", "revision": "iris-1", "version": "v1.0.0", "ready": 0}


@pytest.mark.parametrize(
    ("changes", "prepare"),
    [
        pytest.param({"stable": GONE}, nothing, id="stable has no ready pod"),
        pytest.param({"stable": None}, nothing, id="a first revision that starts"),
        pytest.param({"stable": {**GONE, "ready": 2}, "candidate": None}, nothing, id="a first revision that bakes"),
        pytest.param({"stable": {**GONE, "ready": 2}, "candidate": None, "watch": WATCH}, nothing, id="a watch"),
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
        fleet.serve(stable=0, errors=0 if "watch" in changes else 100)
        fleet.requests["iris-1"] += 100
        fleet.errors["iris-1"] = fleet.errors.get("iris-1", 0) + (100 if changes.get("candidate", 1) is None else 0)
        await stage.tick()

    # then the breach is known, and left to the worker
    assert stage.monitor.evidence(IRIS).breached_at is not None
    assert stage.monitor.evidence(IRIS).reverted_at is None
    assert stage.api.writes == []
    assert stage.queue.woken == [(IRIS, 0)]


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
