"""Who leads, by a Lease: data in, data out."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viridian.kube.lease import Lease, ObservedLease, Timing, claim, epoch_of, holder_of, is_later, release, renewal

PLACE = ("viridian-system", "viridian")
NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
TIMING = Timing()


def lease(holder: str = "a", transitions: int = 3, **spec: Any) -> Lease:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"namespace": PLACE[0], "name": PLACE[1], "uid": "0123456789abcdef", "resourceVersion": "7"},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": 15,
            "acquireTime": "2026-01-01T11:00:00.000000Z",
            "renewTime": "2026-01-01T11:59:58.000000Z",
            "leaseTransitions": transitions,
            **spec,
        },
    }


def claimed(observed: ObservedLease, identity: str = "b", now: float = 100.0, *, resume: bool = True) -> Lease | None:
    return claim(observed, PLACE, identity, now, NOON, TIMING, resume=resume)


def test_where_there_is_no_lease_one_is_made() -> None:
    # given no Lease, when somebody claims it
    made = claimed(ObservedLease())

    # then it is a complete one, to be created: without a version
    assert made == {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"namespace": "viridian-system", "name": "viridian"},
        "spec": {
            "holderIdentity": "b",
            "leaseDurationSeconds": 15,
            "acquireTime": "2026-01-01T12:00:00.000000Z",
            "renewTime": "2026-01-01T12:00:00.000000Z",
            "leaseTransitions": 1,
        },
    }


def test_a_held_lease_is_left_alone_for_its_whole_duration_and_no_longer() -> None:
    observed = ObservedLease().see(lease(), now=100.0)
    assert claimed(observed, now=114.9) is None
    taken = claimed(observed, now=115.0)
    assert taken is not None
    assert holder_of(taken) == "b"


def test_the_claim_is_written_over_what_was_read() -> None:
    # given a Lease with marks of others, that is over
    there = lease(preferredHolder="c")
    there["metadata"]["labels"] = {"team": "ml"}

    # when it is claimed
    taken = claimed(ObservedLease(there, since=0.0))

    # then version, marks and unknown fields are what they were: a write in between makes it fail
    assert taken is not None
    assert taken["metadata"] == there["metadata"]
    assert taken["spec"]["preferredHolder"] == "c"


def test_every_change_of_the_lease_begins_the_wait_anew() -> None:
    observed = ObservedLease().see(lease(), now=100.0)
    observed = observed.see(lease(renewTime="2026-01-01T12:00:00.000000Z"), now=110.0)
    observed = observed.see(lease(renewTime="2026-01-01T12:00:00.000000Z"), now=120.0)
    assert observed.since == 110.0
    assert claimed(observed, now=124.9) is None
    assert claimed(observed, now=125.0) is not None


def test_a_version_that_changes_alone_is_no_sign_of_life() -> None:
    # given a holder that is dead, and somebody who labels its Lease again and again
    observed = ObservedLease().see(lease(), now=100.0)
    touched = lease()
    touched["metadata"] = {**touched["metadata"], "resourceVersion": "8", "labels": {"seen": "yes"}}
    observed = observed.see(touched, now=110.0)

    # then its end is not put off, and the claim is over the version of now
    taken = claimed(observed, now=115.0)
    assert taken is not None
    assert taken["metadata"]["resourceVersion"] == "8"


@pytest.mark.parametrize("offset", [timedelta(days=-400), timedelta(hours=-1), timedelta(hours=1), timedelta(days=400)])
def test_the_clocks_of_other_machines_do_not_matter(offset: timedelta) -> None:
    # given a holder whose clock is wrong
    stamp = (NOON + offset).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    observed = ObservedLease().see(lease(renewTime=stamp, acquireTime=stamp), now=100.0)

    # then only our own monotonic clock decides
    assert claimed(observed, now=114.0) is None
    assert claimed(observed, now=115.0) is not None


def test_a_lease_that_was_given_back_is_free_at_once() -> None:
    given_back = release(lease(), NOON)
    assert holder_of(given_back) == ""
    assert claimed(ObservedLease().see(given_back, now=100.0), now=100.0) is not None


def test_a_container_that_is_restarted_in_its_pod_goes_on_at_once() -> None:
    # given a Lease that a process of our name holds, which is dead since we run
    taken = claimed(ObservedLease().see(lease("b"), now=100.0), now=100.0)

    # then nobody needs to wait, and the term is the same
    assert taken is not None
    assert epoch_of(taken) == epoch_of(lease("b"))


def test_a_process_that_lost_its_term_begins_another_though_nobody_followed_it() -> None:
    # given a Lease that names us, and that we could not renew in time
    taken = claimed(ObservedLease().see(lease("b"), now=100.0), now=100.0, resume=False)

    # then what we may have sent is of an earlier term
    assert taken is not None
    assert taken["spec"]["leaseTransitions"] == 4
    assert epoch_of(taken) != epoch_of(lease("b"))


def test_another_ones_lease_is_never_gone_on_with() -> None:
    taken = claimed(ObservedLease(lease("a"), since=0.0), resume=True)
    assert taken is not None
    assert taken["spec"]["leaseTransitions"] == 4


def test_the_holder_says_how_long_it_holds() -> None:
    observed = ObservedLease().see(lease(leaseDurationSeconds=40), now=100.0)
    assert claimed(observed, now=139.0) is None
    assert claimed(observed, now=140.0) is not None


@pytest.mark.parametrize("spec", [None, {}, {"holderIdentity": None}, {"holderIdentity": ""}])
def test_a_lease_that_somebody_made_by_hand_can_be_claimed(spec: dict[str, Any] | None) -> None:
    there = {**lease(), "spec": spec}
    taken = claimed(ObservedLease().see(there, now=100.0), now=100.0)
    assert taken is not None
    assert taken["spec"]["leaseTransitions"] == 1


def test_a_renewal_says_nothing_else() -> None:
    wall = NOON.astimezone(timezone(timedelta(hours=5)))
    assert renewal(lease(), wall) == lease(renewTime="2026-01-01T12:00:00.000000Z")


def test_a_lease_that_is_deleted_and_made_again_gives_other_epochs() -> None:
    first, second = lease(transitions=1), lease(transitions=1)
    second["metadata"]["uid"] = "fedcba9876543210"
    assert epoch_of(first) == "1-01234567"
    assert epoch_of(second) == "1-fedcba98"


def test_the_holder_gives_up_long_before_others_may_follow() -> None:
    # a request that is sent at the last moment has to end before the next leader begins
    assert TIMING.deadline + TIMING.request < TIMING.duration
    assert TIMING.request < TIMING.retry


@given(
    changes=st.lists(st.floats(0.1, 14.0), max_size=20),
    looks=st.lists(st.floats(0.1, 5.0), min_size=1, max_size=40),
)
def test_no_look_finds_a_lease_over_that_was_renewed_within_its_duration(
    changes: list[float], looks: list[float]
) -> None:
    # given a holder that renews at some moments, and a follower that looks at others
    renewals, moment = [0.0], 0.0
    for pause in changes:
        moment += pause
        renewals.append(moment)
    observed, now = ObservedLease(), 0.0
    for pause in looks:
        now += pause
        last = max(renewal for renewal in renewals if renewal <= now)
        observed = observed.see(lease(renewTime=str(last)), now)

        # then it never follows sooner than the duration after the last renewal
        if claimed(observed, now=now) is not None:
            assert now - last >= TIMING.duration


@pytest.mark.parametrize(
    ("epoch", "than", "later"),
    [
        ("4-a", "3-a", True),
        ("3-a", "3-a", False),
        ("10-a", "9-a", True),
        ("4-a", "3-b", False),
        ("", "3-a", False),
        ("x-a", "3-a", False),
        ("4-a", "", False),
    ],
)
def test_which_term_followed(epoch: str, than: str, later: bool) -> None:
    assert is_later(epoch, than) is later
