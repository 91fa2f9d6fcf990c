import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viridian.guards.counts import Counts
from viridian.guards.latency import round_up
from viridian.guards.series import PodCounters, RequestCounts, Snapshot, align, delta
from viridian_shared.counts.latency import GRID


def pod(stamp, requests=0, errors=0, **more):
    return PodCounters(stamp, RequestCounts(requests, errors), **more)


def snapshot(stamp, **pods):
    return Snapshot(stamp, {"r": {uid: pod(stamp, *numbers) for uid, numbers in pods.items()}})


def test_counters_are_subtracted_by_pod():
    change = delta(snapshot(0, a=(10, 1), b=(5, 0)), snapshot(2, a=(14, 2), b=(5, 0)), "r")
    assert change.comparable.failed() == Counts(4, 1)


def test_a_new_pod_counts_from_zero():
    change = delta(snapshot(0, a=(10, 1)), snapshot(2, a=(10, 1), b=(3, 2)), "r")
    assert change.comparable.failed() == Counts(3, 2)


def test_a_pod_known_to_be_old_does_not_bring_its_past_along():
    after = Snapshot(10, {"r": {"a": pod(10, 1000, 50, started=-500.0)}})
    assert delta(Snapshot(8, {"r": {}}), after, "r").comparable.failed() == Counts(0, 0)


def test_a_counter_that_fell_counts_from_zero():
    change = delta(snapshot(0, a=(100, 3)), snapshot(2, a=(7, 1)), "r")
    assert change.comparable.failed() == Counts(7, 1)


def test_all_counters_of_a_restarted_pod_count_from_zero_even_those_that_grew():
    change = delta(snapshot(0, a=(10, 5)), snapshot(2, a=(12, 4)), "r")
    assert change.comparable.failed() == Counts(12, 4)


def test_more_errors_than_requests_betray_a_restart():
    change = delta(snapshot(0, a=(10, 1)), snapshot(2, a=(12, 11)), "r")
    assert change.comparable.failed() == Counts(12, 11)


def test_bounds_that_another_models_guard_asks_for_are_no_restart():
    # given counters that were read for a guard at 0.2 s, and later for another model's at 0.3 s as well
    start = Snapshot(0, {"r": {"a": PodCounters(0, RequestCounts(1000, 9, {0.2: 950, math.inf: 1000}))}})
    more = Snapshot(2, {"r": {"a": PodCounters(2, RequestCounts(1010, 9, {0.2: 958, 0.3: 1005, math.inf: 1010}))}})
    less = Snapshot(4, {"r": {"a": PodCounters(4, RequestCounts(1011, 9, {0.2: 958, math.inf: 1011}))}})

    # then only what was completed meanwhile counts
    for before, after, slow in ((start, more, Counts(10, 2)), (more, less, Counts(1, 1)), (start, less, Counts(11, 3))):
        change = delta(before, after, "r").comparable
        assert change.failed() == Counts(slow.total, 0)
        assert change.slow(0.2) == slow


def test_a_new_pod_brings_all_of_its_bounds():
    after = Snapshot(2, {"r": {"a": PodCounters(2, RequestCounts(5, 0, {0.2: 3, math.inf: 5}))}})
    assert delta(Snapshot(0), after, "r").comparable.slow(0.2) == Counts(5, 2)


def test_a_pod_that_vanished_adds_nothing_and_loses_nothing():
    start, seen, gone = snapshot(0, a=(10, 0), b=(10, 0)), snapshot(2, a=(11, 0), b=(15, 1)), snapshot(4, a=(12, 0))
    now = gone.after(seen.after(start))
    assert delta(start, now, "r").comparable.failed() == Counts(7, 1)
    assert now.live("r") == {"a"}
    back = snapshot(6, a=(12, 0), b=(15, 1)).after(now)
    assert delta(now, back, "r").comparable.failed() == Counts(0, 0)


counters = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 20), st.booleans()).map(lambda t: (max(t[:2]), min(t[:2]), t[2])),
    min_size=1,
    max_size=12,
)


@given(st.lists(counters, min_size=1, max_size=3))
def test_nothing_is_lost_or_counted_twice(pods):
    """Each step a pod serves some requests, perhaps after a restart; restarts that show lose only what was unseen."""
    snapshots = [Snapshot(0, {"r": {str(i): pod(0) for i in range(len(pods))}})]
    served = [Counts() for _ in pods]
    for step in range(max(map(len, pods))):
        current = {}
        for i, steps in enumerate(pods):
            before = snapshots[-1].pods["r"][str(i)].comparable
            total, errors, restart = steps[step] if step < len(steps) else (0, 0, False)
            # A restart that cannot be seen (every counter has overtaken its old value) counts what it can.
            base = RequestCounts() if restart else before
            now = RequestCounts(base.requests + total, base.errors + errors)
            visible = not restart or not (now - before).possible
            served[i] += Counts(total, errors) if visible else (now - before).failed()
            current[str(i)] = PodCounters(step + 1.0, now)
        snapshots.append(Snapshot(step + 1.0, {"r": current}))
    found = Counts()
    for before, after in pairwise(snapshots):
        found += delta(before, after, "r").comparable.failed()
    assert found == sum(served, Counts())


def test_pinned_requests_are_counted_apart():
    after = Snapshot(2, {"r": {"a": PodCounters(2, RequestCounts(10, 1), RequestCounts(5, 5))}})
    traffic = delta(Snapshot(0), after, "r")
    assert traffic.comparable.failed() == Counts(10, 1)
    assert traffic.unpinned.failed() == Counts(10, 1)
    assert traffic.pinned.failed() == Counts(5, 5)


def test_requests_past_the_route_count_only_where_there_is_no_route():
    after = Snapshot(
        2, {"r": {"a": PodCounters(2, RequestCounts(10, 1), RequestCounts(5, 5), RequestCounts(20, 4), rest=3)}}
    )
    routed, service = delta(Snapshot(0), after, "r"), delta(Snapshot(0), after, "r", routed=False)
    assert (routed.unpinned.failed(), service.unpinned.failed()) == (Counts(10, 1), Counts(30, 5))
    assert routed.pinned == service.pinned == RequestCounts(5, 5)
    assert routed.comparable == service.comparable
    assert routed.answered == service.answered == 38


def test_a_counter_that_fell_anywhere_makes_all_of_them_count_from_zero():
    before = Snapshot(0, {"r": {"a": PodCounters(0, RequestCounts(10, 1), direct=RequestCounts(9), rest=7)}})
    after = Snapshot(2, {"r": {"a": PodCounters(2, RequestCounts(12, 1), direct=RequestCounts(9), rest=2)}})
    traffic = delta(before, after, "r")
    assert traffic.comparable.failed() == Counts(12, 1)
    assert traffic.answered == 12 + 9 + 2


def test_slow_requests_are_those_beyond_the_bound():
    tally = RequestCounts(10, 0, {0.2: 7, 0.5: 9, math.inf: 10})
    assert tally.slow(0.2) == Counts(10, 3)
    assert RequestCounts().slow(0.2) == Counts(0, 0)
    with pytest.raises(ValueError, match=r"no bucket for 0\.3 s"):
        tally.slow(0.3)


# --- alignment ---


def series(*stamps):
    return [pod(float(stamp), 10 * stamp) for stamp in stamps]


def test_only_a_stamp_that_every_pod_has_reported_is_used():
    aligned = align({"c": {"a": series(2, 4, 6)}, "s": {"b": series(2, 4)}}, interval=2)
    assert aligned is not None
    assert aligned.stamp == 4
    assert aligned.pods["c"]["a"].comparable.requests == 40


def test_a_pod_that_missed_a_stamp_holds_it_back():
    aligned = align({"c": {"a": series(2, 4, 6)}, "s": {"b": series(2, 6), "d": series(2, 4)}}, interval=2)
    assert aligned is not None
    assert aligned.stamp == 2


def test_a_silent_pod_is_not_waited_for_and_keeps_its_last_counts():
    aligned = align({"c": {"a": series(6, 8, 10)}, "s": {"b": series(2, 4)}}, interval=2)
    assert aligned is not None
    assert aligned.stamp == 10
    assert aligned.pods["s"]["b"].comparable.requests == 40
    assert aligned.live("s") == frozenset()


def test_a_pod_that_has_just_started_holds_nothing_back():
    aligned = align({"c": {"a": series(8)}, "s": {"b": series(4, 6)}}, interval=2)
    assert aligned is not None
    assert aligned.stamp == 6
    assert aligned.pods["c"] == {}


def test_after_a_restart_counters_are_read_as_they_stood_then():
    aligned = align({"c": {"a": series(2, 4, 6)}, "s": {"b": series(2, 4, 6)}}, interval=2, at=4)
    assert aligned is not None
    assert aligned.stamp == 4
    assert {pods[uid].comparable.requests for pods in aligned.pods.values() for uid in pods} == {40}


def test_without_samples_there_is_no_moment():
    assert align({}, interval=2) is None
    assert align({"c": {"a": []}}, interval=2) is None


@given(
    st.dictionaries(st.sampled_from("abcd"), st.sets(st.integers(1, 8), min_size=1, max_size=8).map(sorted), min_size=1)
)
def test_every_pod_in_the_quorum_stands_at_the_stamp(stamps):
    newest = max(map(max, stamps.values()))
    aligned = align({"c": {uid: series(*some) for uid, some in stamps.items()}}, interval=1)
    for uid, some in stamps.items():
        if aligned and max(some) >= newest - 2 and uid in aligned.pods["c"]:
            assert aligned.pods["c"][uid].stamp == aligned.stamp


# --- the grid ---


def test_the_grid_ascends_from_a_millisecond_to_a_minute():
    assert list(GRID) == sorted(set(GRID))
    assert (GRID[0], GRID[-1]) == (0.001, 60.0)
    assert 35 <= len(GRID) <= 45


@given(st.floats(0.0001, 60))
def test_a_limit_is_rounded_up_to_the_next_bound(seconds):
    bound = round_up(seconds)
    assert seconds <= bound
    assert not [other for other in GRID if seconds <= other < bound]


@pytest.mark.parametrize("seconds", [0, -1, 61, math.inf, math.nan])
def test_a_limit_beyond_the_grid_is_refused(seconds):
    with pytest.raises(ValueError, match="at most 60 s"):
        round_up(seconds)


@pytest.mark.parametrize(
    ("stable", "candidate", "scraped", "every"),
    [
        (2, 2, 2, 2),
        (5, 15, 15, 15),  # the interval was raised: stable's pods were made with the shorter one
        (5, 30, 30, 30),
        (10, 15, 15, 30),
        (15, 5, 5, 15),  # it was lowered
        (30, 10, 10, 30),
        (15, 15, 30, 30),  # Prometheus is slower than the operator was told
    ],
)
def test_pods_that_stamp_at_different_intervals_are_compared_at_the_longest(stable, candidate, scraped, every):
    # given pods whose counters stand still for so many seconds, each scraped at its own moment, and the time passing
    told = min(candidate, scraped)
    moments = [(("s", f"s{i}"), stable, i * scraped / 3.7) for i in range(3)]
    moments += [(("c", f"c{i}"), candidate, (i + 0.5) * scraped / 2.3) for i in range(2)]
    seen = []
    for now in range(6000, 6000 + 300):
        samples = {"s": {}, "c": {}}
        for (revision, uid), interval, phase in moments:
            last = math.floor((now - phase) / scraped)
            times = [phase + k * scraped for k in range(last - 6, last + 1) if now - 6 * told < phase + k * scraped]
            samples[revision][uid] = [pod(t - t % interval, requests=int(t)) for t in times]
        # when they are aligned
        aligned = align(samples, told, now=now)
        seen.append((now, aligned))
    # then all of them are live, at moments that come without a gap, and never long ago
    assert {(len(a.live("s")), len(a.live("c"))) for _, a in seen} == {(3, 2)}
    assert max(now - a.stamp for now, a in seen) <= 2 * every + scraped
    stamps = sorted({a.stamp for _, a in seen})
    assert {later - earlier for earlier, later in pairwise(stamps)} <= {every, every / 2}


def test_one_missed_scrape_makes_no_longer_interval():
    # given a pod of which two samples are there, and the one between is not
    aligned = align({"c": {"a": series(2, 4, 6, 8)}, "s": {"b": series(4, 8)}}, interval=2)
    # then its next one is waited for as ever: a silent pod for two intervals
    assert aligned.stamp == 8
    aligned = align({"c": {"a": series(8, 10, 12, 14)}, "s": {"b": series(4, 8)}}, interval=2)
    assert (aligned.stamp, aligned.live("s")) == (14, frozenset())


@pytest.mark.parametrize("routed", [True, False])
def test_copies_count_against_fixed_maxima_and_are_compared_with_nothing(routed: bool) -> None:
    start = Snapshot(0, {"r": {"a": PodCounters(0, mirrored=RequestCounts(5, 1))}})
    end = Snapshot(2, {"r": {"a": PodCounters(2, RequestCounts(3), mirrored=RequestCounts(25, 11), rest=4)}})
    found = delta(start, end, "r", routed)
    assert (found.unpinned.requests, found.unpinned.errors) == (23, 10)
    assert (found.comparable.requests, found.pinned.requests) == (3, 0)
    assert found.answered == 7  # a drain waits for users, and copies have none
