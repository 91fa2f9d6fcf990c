"""Until when each revision was seen, answered, and had requests that count."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.controller.counters import INTERVAL, START, Fleet
from tests.controller.fakes import spec
from tests.controller.guarding.monitoring import KEY, NOW, SPEC, at, watched

from viridian.controller.guarding.monitor import GuardMonitor
from viridian.guards.series import PodCounters, RequestCounts
from viridian.metrics.prometheus import PodSamples


def test_when_a_revision_last_answered(monitor: GuardMonitor) -> None:
    # given a model that nobody judges, whose old color answers a little longer
    fleet = Fleet()
    stamps = []
    for stable in (5, 0, 3, 0, 0):
        monitor.ingest(KEY, SPEC, fleet.serve(stable=stable, candidate=10), NOW)
        stamps.append(fleet.stamp)

    # then it is told of each revision, and how recent that is
    evidence = monitor.evidence(KEY)
    assert evidence.moved == {"iris-1": at(stamps[2]), "iris-2": at(stamps[4])}
    assert evidence.fresh_at == at(stamps[4])
    assert (evidence.judgements, evidence.state) == ((), "")


def test_of_a_revision_that_is_not_scraped_any_more_the_last_moment_is_known(monitor: GuardMonitor) -> None:
    # given a rollout that was scraped, and whose candidate is not any more
    fleet = Fleet()
    watched(monitor)
    monitor.ingest(KEY, SPEC, fleet.samples, NOW)
    last = fleet.stamp
    for _ in range(4):
        alone = {"iris-1": fleet.serve()["iris-1"]}
        monitor.ingest(KEY, SPEC, alone, NOW + timedelta(seconds=fleet.stamp - START))
    # then of stable it is this moment, and the guards have been watching from the start
    evidence = monitor.evidence(KEY)
    assert evidence.seen_at == {"iris-1": at(fleet.stamp), "iris-2": at(last)}
    assert evidence.fresh_at == at(fleet.stamp)
    assert evidence.monitored_since == NOW


def test_a_scrape_that_was_seen_before_moves_nothing(monitor: GuardMonitor) -> None:
    fleet = Fleet()
    watched(monitor)
    monitor.ingest(KEY, SPEC, fleet.serve(), NOW)
    before = monitor.evidence(KEY)
    monitor.ingest(KEY, SPEC, fleet.samples, NOW)
    assert monitor.evidence(KEY) == before


@pytest.mark.parametrize(("seconds", "fresh"), [(0, True), (3 * INTERVAL, True), (3 * INTERVAL + 0.1, False)])
def test_samples_older_than_two_scrapes_are_dropped(monitor: GuardMonitor, seconds: float, fresh: bool) -> None:
    # given counters whose stamp is so old; a stamp may be one interval older than its scrape
    fleet = Fleet()
    watched(monitor)
    # when they are taken in, then old ones are no news of any pod
    monitor.ingest(KEY, SPEC, fleet.samples, NOW + timedelta(seconds=seconds))
    evidence = monitor.evidence(KEY)
    assert (evidence.fresh_at is not None) is fresh
    assert (evidence.reporting != {}) is fresh


@pytest.mark.parametrize(
    ("changes", "counted"),
    [
        pytest.param({}, {"iris-1": at(START + 2 * INTERVAL)}, id="with a route, split requests count"),
        pytest.param({"traffic": {}}, {"iris-2": at(START + 4 * INTERVAL)}, id="without one, direct ones do"),
    ],
)
def test_when_a_revision_last_had_requests_that_count(
    monitor: GuardMonitor, changes: dict[str, Any], counted: dict[str, datetime]
) -> None:
    # given split requests on stable that stop, and direct ones on the candidate that go on
    mode, stamp = spec(**changes), START
    split, direct = [5, 9, 9, 9], [0, 0, 4, 7]
    watched(monitor)
    for ours, past in zip(split, direct, strict=True):
        stamp += INTERVAL
        samples = {
            "iris-1": {"s": PodSamples((PodCounters(stamp, RequestCounts(ours)),), ours, stamp)},
            "iris-2": {"c": PodSamples((PodCounters(stamp, direct=RequestCounts(past)),), past, stamp)},
        }
        monitor.ingest(KEY, mode, samples, at(stamp))

    # then traffic is what counts, and requests by other ways only keep a color from draining
    evidence = monitor.evidence(KEY)
    assert evidence.counted_at == counted
    assert evidence.moved == {"iris-1": at(START + 2 * INTERVAL), "iris-2": at(stamp)}
    assert evidence.requests == ({"iris-1": 9, "iris-2": 0} if mode.has_route else {"iris-1": 0, "iris-2": 7})


def test_counts_that_cannot_be_judged_are_not_fresh(monitor: GuardMonitor) -> None:
    # given a guard on latency, and pods that count by other bounds
    guarded = spec(guards={"latency": [{"percentile": "95", "max": "200ms"}]})
    fleet = Fleet()
    watched(monitor)
    monitor.ingest(KEY, SPEC, fleet.samples, NOW)
    odd = fleet.serve()
    for pods in odd.values():
        for pod in pods.values():
            pod.counters[0].comparable.buckets[0.3] = 1  # type: ignore[index]

    # when they are taken in, then that is an error, and the weights stay for want of fresh counts
    with pytest.raises(ValueError, match=r"no bucket for 0\.2 s"):
        monitor.ingest(KEY, guarded, odd, NOW)
    assert monitor.evidence(KEY).fresh_at == at(START)
