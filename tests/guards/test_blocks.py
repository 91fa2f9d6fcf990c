"""Which requests make up a block, to the very request, and what else each look at the counters takes in."""

import math
from dataclasses import replace

import pytest

from viridian.guards import (
    Config,
    Judgement,
    LatencyGuard,
    PodCounters,
    RequestCounts,
    Rollout,
    Snapshot,
    State,
    Verdict,
    Window,
    advance,
)
from viridian.guards.state import Reach

CONFIG = Config(error_rate_max=0.10, worse_than_stable=1.5, request_timeout=20.0)
REJECTED = replace(CONFIG, rejected=1.5)
SPLIT = Rollout("c", "s", 50, -100.0)
ALONE = Rollout("c", None, 50, -100.0)
FULL = replace(SPLIT, weight=100)
IN_TURN = replace(SPLIT, routed=False)

Seen = int | RequestCounts | PodCounters


def pod(seen: Seen, stamp: float = 0.0) -> PodCounters:
    """A pod's counters: all of them, the comparable ones, or how many comparable requests went well."""
    if isinstance(seen, PodCounters):
        return replace(seen, stamp=stamp)
    return PodCounters(stamp, RequestCounts(seen) if isinstance(seen, int) else seen)


def at(stamp: float, **revisions: Seen | list[Seen] | dict[str, Seen]) -> Snapshot:
    """The counters of one moment: those of each revision's only pod, or of its pods, or of those by name."""
    pods = {}
    for name, seen in revisions.items():
        named = seen if isinstance(seen, dict) else dict(enumerate(seen if isinstance(seen, list) else [seen]))
        pods[name] = {f"{name}{uid}": pod(each, stamp) for uid, each in named.items()}
    return Snapshot(stamp, pods)


NOTHING = at(0.0, c=0, s=0)


def look(
    *snapshots: Snapshot, config: Config = CONFIG, rollout: Rollout = SPLIT
) -> tuple[State, Window, list[Judgement]]:
    """What guards that begin know after these snapshots."""
    state, window, judgements = State(), None, []
    for snapshot in snapshots:
        state, window, judgements = advance(config, state, window, snapshot, rollout)
    assert window is not None
    return state, window, judgements


def ends(*snapshots: Snapshot, config: Config = CONFIG, rollout: Rollout = SPLIT) -> float | None:
    """Up to which moment requests are in the evidence."""
    return look(*snapshots, config=config, rollout=rollout)[0].stamp


def refusals(requests: int, rejected: int) -> RequestCounts:
    return RequestCounts(requests, rejected=rejected)


def copies(requests: int) -> PodCounters:
    return PodCounters(0.0, mirrored=RequestCounts(requests))


def direct(requests: int) -> PodCounters:
    return PodCounters(0.0, direct=RequestCounts(requests))


# ------------------------------------------------------------------ when a block ends


@pytest.mark.parametrize(
    ("candidate", "stable", "ended"),
    [
        (5, 5, True),
        (4, 5, False),
        (5, 4, False),
        (100, 4, False),
        # requests on stable are too few to wait for
        (249, 4, False),
        (250, 0, True),
        (copies(249), 0, False),
        (copies(250), 0, True),
        # what arrives past the route is in no block
        (direct(250), 0, False),
        # where nobody asks for them, rejected requests are none
        (refusals(4, 9), 5, False),
    ],
)
def test_a_block_has_a_few_requests_of_each_side(candidate: Seen, stable: Seen, ended: bool) -> None:
    assert ends(NOTHING, at(2.0, c=candidate, s=stable)) == (2.0 if ended else 0.0)


@pytest.mark.parametrize(
    ("candidate", "stable", "ended"),
    [
        (refusals(0, 5), refusals(5, 0), True),
        (refusals(2, 3), refusals(3, 2), True),
        (refusals(2, 2), refusals(5, 0), False),
        (refusals(5, 0), refusals(2, 2), False),
    ],
)
def test_where_rejected_requests_are_judged_they_fill_a_block(candidate: Seen, stable: Seen, ended: bool) -> None:
    assert ends(NOTHING, at(2.0, c=candidate, s=stable), config=REJECTED) == (2.0 if ended else 0.0)


@pytest.mark.parametrize(
    ("rollout", "candidate", "ended"),
    [
        (ALONE, 5, True),
        (ALONE, 4, False),
        (FULL, 5, True),
        (FULL, 4, False),
        (FULL, copies(5), True),
        (IN_TURN, direct(5), True),
        (IN_TURN, direct(4), False),
        (replace(SPLIT, weight=99), 5, False),
        (replace(SPLIT, weight=0), 5, False),
    ],
)
def test_nobody_waits_for_a_stable_that_is_not_meant_to_get_requests(
    rollout: Rollout, candidate: Seen, ended: bool
) -> None:
    assert ends(NOTHING, at(2.0, c=candidate, s=0), rollout=rollout) == (2.0 if ended else 0.0)


@pytest.mark.parametrize(
    ("rollout", "before", "after", "ended"),
    [
        (SPLIT, NOTHING, at(2.0, c=0, s=0), False),
        (SPLIT, NOTHING, at(2.0, c=[0, 0], s=0), True),
        (SPLIT, NOTHING, at(2.0, c=0, s=[0, 0]), True),
        (SPLIT, NOTHING, at(2.0, c=0, s={"1": 0}), True),
        (SPLIT, NOTHING, at(2.0, s=0), True),
        (SPLIT, at(0.0, c=0), at(2.0, c=0, s=0), True),
        # of others
        (SPLIT, NOTHING, at(2.0, c=0, s=0, other=0), False),
        (ALONE, NOTHING, at(2.0, c=0), False),
        (ALONE, NOTHING, at(2.0, c=[0, 0], s=0), True),
    ],
)
def test_a_block_ends_when_the_pods_change(rollout: Rollout, before: Snapshot, after: Snapshot, ended: bool) -> None:
    assert ends(before, after, rollout=rollout) == (2.0 if ended else 0.0)


def test_the_first_look_ends_no_block() -> None:
    state, window, _ = look(at(2.0, c=3, s=3))
    assert (state.stamp, state.weight) == (2.0, 50)
    assert state.absolute["errorRate"].above.blocks == 0
    assert window.start == window.latest == at(2.0, c=3, s=3)


def test_a_block_has_what_came_since_the_last_one_and_no_more() -> None:
    state, window, _ = look(
        at(0.0, c=100, s=100),
        at(2.0, c=105, s=105),
        at(4.0, c=109, s=105),
        at(6.0, c=110, s=112),
        at(8.0, c=114, s=199),
    )
    assert (state.stamp, window.start.stamp, window.latest.stamp) == (6.0, 6.0, 8.0)
    compared = state.relative["errorRate"]
    assert (compared.worse.blocks, compared.total.candidate.total, compared.total.stable.total) == (2, 10, 12)


@pytest.mark.parametrize(("rollout", "candidate", "stable"), [(SPLIT, 0, None), (IN_TURN, 5, 9)])
def test_requests_past_the_route_count_where_there_is_none(
    rollout: Rollout, candidate: int, stable: int | None
) -> None:
    judgement = look(NOTHING, at(2.0, c=direct(5), s=direct(9)), rollout=rollout)[2][0]
    assert judgement.candidate.total == candidate
    assert (judgement.stable.total if judgement.stable is not None else None) == stable


# ------------------------------------------------------------------ a change of weight


def test_a_change_of_weight_ends_the_block_and_nothing_is_compared_for_one_timeout() -> None:
    # given a block of three requests each, at 50 %
    state, window, _ = look(NOTHING, at(2.0, c=3, s=3))
    # when the weight rises
    raised = replace(SPLIT, weight=60, weight_since=3.0)
    state, window, _ = advance(CONFIG, state, window, at(4.0, c=4, s=4), raised)
    # then that was a block
    assert (state.stamp, state.weight, state.comparable_from) == (4.0, 60, 23.0)
    compared = state.relative["errorRate"].total
    assert (compared.candidate.total, compared.stable.total) == (4, 4)
    # and the next ones are not compared
    state, window, _ = advance(CONFIG, state, window, at(6.0, c=10, s=10), raised)
    assert state.stamp == 6.0
    # also where an operator that was started meanwhile takes the weight for a new one
    restarted = replace(raised, weight_since=20.0)
    state, window, _ = advance(CONFIG, state, window, at(22.0, c=11, s=11), restarted)
    assert (state.stamp, state.comparable_from) == (6.0, 23.0)
    # until the timeout is over: that ends a block, too
    state, window, _ = advance(CONFIG, state, window, at(23.0, c=12, s=12), raised)
    assert (state.stamp, state.relative["errorRate"].total) == (23.0, compared)
    # which is the last one
    state, window, _ = advance(CONFIG, state, window, at(24.0, c=16, s=17), raised)
    assert state.stamp == 23.0
    state, window, _ = advance(CONFIG, state, window, at(26.0, c=17, s=17), raised)
    assert state.stamp == 26.0
    after = state.relative["errorRate"].total
    assert (after.candidate.total, after.stable.total) == (9, 9)


# ------------------------------------------------------------------ which requests a guard begins with


def stricter(config: Config) -> Config:
    return replace(config, error_rate_max=0.05)


@pytest.mark.parametrize("before", [CONFIG, Config(worse_than_stable=1.5), Config()])
def test_new_and_edited_guards_begin_with_what_arrives_from_now_on(before: Config) -> None:
    # given an open block with failures in it
    state, window, _ = look(NOTHING, at(2.0, c=RequestCounts(4, 4), s=4), config=before)
    # when a guard is added or edited
    state, window, judgements = advance(
        stricter(CONFIG), state, window, at(4.0, c=RequestCounts(6, 6), s={"0": 4, "1": 0}), SPLIT
    )
    # then nothing speaks against the candidate
    assert (judgements[0].candidate.total, judgements[0].verdict) == (0, Verdict.NOT_ENOUGH_DATA)
    assert state.stamp == 4.0
    # and a pod that is gone is known with what it had counted
    state, window, judgements = advance(
        stricter(CONFIG), state, window, at(6.0, c=RequestCounts(6, 6), s={"0": 4}), SPLIT
    )
    assert judgements[0].candidate.total == 0
    assert window.latest.pods["s"].keys() == {"s0", "s1"}


@pytest.mark.parametrize("config", [CONFIG, stricter(CONFIG)])
def test_an_older_snapshot_tells_nothing(config: Config) -> None:
    # given what is known at eight seconds
    state, window, judgements = look(NOTHING, at(8.0, c=9, s=9))
    # when a snapshot from before comes, and the guards may have been edited meanwhile
    after, at_last, _ = advance(config, state, window, at(6.0, c=7, s=7), SPLIT)
    # then nobody goes back to it
    assert (after.stamp, at_last.start, at_last.latest) == (8.0, window.latest, window.latest)
    after, _, judgements = advance(config, after, at_last, at(10.0, c=RequestCounts(10, 1), s=9), SPLIT)
    assert judgements[0].candidate.events == 1
    assert judgements[0].candidate.total == (10 if config == CONFIG else 1)


def test_a_pod_that_is_seen_late_belongs_to_the_same_moment() -> None:
    state, window, _ = look(NOTHING, at(2.0, c=1, s=1), at(2.0, c=[1, 0], s=1), at(4.0, c=[1, 0], s=1))
    assert state.stamp == 2.0
    assert window.latest.live("c") == {"c0", "c1"}


# ------------------------------------------------------------------ what else is taken in


def test_what_stable_s_pods_show_of_themselves_is_learnt_while_it_serves_alone() -> None:
    # given stable pods of which one fails a lot
    def spread(rollout: Rollout) -> float:
        first, then = at(0.0, c=0, s=[0, 0]), at(2.0, c=0, s=[RequestCounts(100, 90), 100])
        return look(first, then, rollout=rollout)[0].absolute["errorRate"].spread.effect

    # then that is taken in while all requests are stable's
    assert spread(replace(SPLIT, weight=0)) > 5
    assert spread(SPLIT) == 1
    assert spread(replace(IN_TURN, weight=0)) == 1


@pytest.mark.parametrize(("pods", "verdict"), [(1, Verdict.POD_CONFOUNDED), (2, Verdict.BREACH)])
def test_the_pods_that_report_now_are_those_that_count(pods: int, verdict: Verdict) -> None:
    # given a maximum that is a multiple of what stable takes, and a candidate that is slow
    config = Config(latencies=(LatencyGuard(50, 0.2, of_stable=True),))
    slow, quick = (RequestCounts(200, 0, {0.2: within, math.inf: 200}) for within in (0, 200))
    # when so many of its pods are left
    first = at(0.0, c=[0, 0], s=0)
    last = at(2.0, c=[slow, slow][:pods], s=quick)
    # then the slowness of one alone may be its node's
    assert look(first, last, config=config)[2][0].verdict is verdict


BUSY = [at(2.0 * second, c=min(100 * second, 1000), s=100 * second) for second in range(40)]
"""Both answer fifty requests a second, and after twenty seconds the candidate does no more."""
QUICK = replace(CONFIG, request_timeout=2.0)


def test_a_candidate_that_falls_silent_is_judged_beside_the_guards() -> None:
    judgements = look(*BUSY, config=QUICK)[2]
    assert [(each.guard, each.kind) for each in judgements] == [
        ("errorRate", "absolute"),
        ("errorRate", "relative"),
        ("answers", "relative"),
    ]
    assert judgements[-1].verdict is Verdict.BREACH


def test_one_that_never_answered_is_held_against_its_weight() -> None:
    never = [at(2.0 * second, c=0, s=100 * second) for second in range(40)]
    sentence = look(*never, config=QUICK)[2][-1].sentence
    assert "although its weight is 50 %" in sentence


@pytest.mark.parametrize("rollout", [ALONE, FULL, IN_TURN])
def test_without_a_stable_beside_it_nobody_is_silent(rollout: Rollout) -> None:
    state, window, _ = look(*BUSY, config=QUICK, rollout=rollout)
    assert (state.reach, window.silent) == (Reach(), None)


def test_silence_begins_anew_with_another_weight() -> None:
    state, window, judgements = look(*BUSY, config=QUICK)
    _, window, judgements = advance(QUICK, state, window, at(80.0, c=1000, s=4000), replace(SPLIT, weight=60))
    assert len(judgements) == 2
    assert window.silent is not None
    assert window.silent.since == 80.0


def test_what_each_look_tells_of_stable_adds_up() -> None:
    # given a candidate that fails all of its requests, and a stable that answers a single one each time
    looks = [at(2.0 * n, c=RequestCounts(4 * n, 4 * n), s=n) for n in range(4)]
    # then one of those is too little to tell the two apart
    assert look(*looks[:2])[2][0].verdict is Verdict.NOT_ENOUGH_DATA
    # and three are enough
    assert look(*looks)[2][0].verdict is Verdict.BREACH


def test_a_stable_that_gets_no_requests_is_waited_for() -> None:
    # given a candidate that fails all of its requests from the second look on
    verdicts = []
    state, window, _ = look(NOTHING)
    for n in range(1, 8):
        failed = RequestCounts(4 * n, 4 * n)
        state, window, judgements = advance(CONFIG, state, window, at(2.0 * n, c=failed, s=0), SPLIT)
        verdicts.append(judgements[0].verdict)
    # then it is blamed ten seconds after the evidence against it was complete
    assert verdicts == [*[Verdict.NOT_ENOUGH_DATA] * 5, *[Verdict.BREACH] * 2]
