"""Whose counters count."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.controller.counters import Fleet

from viridian.controller.guarding.own_pods import OwnPods
from viridian.rollout.observed import Pod

IRIS, WINE = ("default", "iris"), ("default", "wine")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
INTERVAL = timedelta(seconds=15)


@pytest.fixture
def pods() -> OwnPods:
    return OwnPods(INTERVAL)


def pod(uid: str, revision: str = "iris-1") -> Pod:
    return Pod(uid, revision, ready=True, deleting=False)


def test_only_pods_of_the_model_and_of_their_own_revision_count(pods: OwnPods) -> None:
    # given a fleet of which one pod is known, one is known for another revision, and one is another model's
    fleet = Fleet(requests={"iris-1": 1, "iris-2": 2, "iris-3": 3})
    pods.note(IRIS, [pod("pod-of-iris-1"), pod("pod-of-iris-2", "iris-1")], NOW)
    pods.note(WINE, [pod("pod-of-iris-3", "iris-3")], NOW)

    # then its samples alone are left
    assert pods.of(IRIS, fleet.samples) == {"iris-1": fleet.samples["iris-1"]}


def test_nobody_has_looked_is_not_there_are_none(pods: OwnPods) -> None:
    assert not pods.knows(IRIS)
    assert pods.of(IRIS, Fleet().samples) == {}
    pods.note(IRIS, [], NOW)
    assert pods.knows(IRIS)
    pods.forget(IRIS)
    assert not pods.knows(IRIS)


@pytest.mark.parametrize(
    ("later", "counts"),
    [(timedelta(seconds=90), True), (timedelta(minutes=3), True), (timedelta(minutes=5), False)],
)
def test_the_last_requests_of_a_pod_that_is_gone_count_while_they_can_be_read(
    pods: OwnPods, later: timedelta, counts: bool
) -> None:
    # given a pod that was there, and a look after it went
    fleet = Fleet(requests={"iris-1": 1})
    pods.note(IRIS, fleet.pods, NOW)
    pods.note(IRIS, [], NOW + later)
    assert bool(pods.of(IRIS, fleet.samples)) is counts
