"""What blocks are made of, and what survives a restart."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.guards.fleet import Fleet, Pod

from viridian.guards import (
    Config,
    LatencyGuard,
    PodCounters,
    RequestCounts,
    Rollout,
    Snapshot,
    State,
    Verdict,
    advance,
    decode,
    encode,
)
from viridian.guards.alpha import spent

ERRORS = Config(error_rate_max=0.10, worse_than_stable=1.5)
FULL = Config(error_rate_max=0.10, worse_than_stable=1.5, latencies=(LatencyGuard(95, 0.2),))

side = st.tuples(st.integers(0, 8), st.integers(0, 8)).map(lambda t: (max(t), min(t), 0))
ticks = st.lists(st.tuples(side, side), min_size=1, max_size=25)


def relative(fleet: Fleet):
    return next(judgement for judgement in fleet.judgements if judgement.kind == "relative")


def absolute(fleet: Fleet):
    return next(judgement for judgement in fleet.judgements if judgement.kind == "absolute")


@pytest.fixture
def fleet():
    fleet = Fleet(ERRORS)
    fleet.look()
    return fleet


def test_a_block_closes_when_both_sides_have_five(fleet):
    fleet.tick((4, 0, 0), (50, 0, 0))
    assert fleet.state.stamp == 0
    fleet.tick((1, 0, 0), (0, 0, 0))
    assert fleet.state.stamp == 4
    assert fleet.state.relative["errorRate"].worse.blocks == 1
    fleet.tick((50, 0, 0), (4, 0, 0))
    assert fleet.state.stamp == 4


@settings(deadline=None, max_examples=30)
@given(ticks, st.randoms(use_true_random=False))
def test_what_failed_never_decides_when_a_block_closes(steps, chance):
    some, others = Fleet(ERRORS), Fleet(ERRORS)
    for one in (some, others):
        one.look()
    for candidate, stable in steps:
        some.tick(candidate, stable)
        others.tick((candidate[0], chance.randint(0, candidate[0]), 0), (stable[0], chance.randint(0, stable[0]), 0))
        assert some.state.stamp == others.state.stamp


@settings(deadline=None, max_examples=30)
@given(ticks)
def test_blocks_hold_every_request_once(steps):
    fleet = Fleet(ERRORS)
    fleet.look()
    for candidate, stable in steps:
        fleet.tick(candidate, stable)
    fleet.set_weight(50)  # closes what is open
    fleet.tick((0, 0, 0), (0, 0, 0))
    total = fleet.state.absolute["errorRate"].total
    assert (total.candidate.total, total.candidate.events) == (
        sum(candidate[0] for candidate, _ in steps),
        sum(candidate[1] for candidate, _ in steps),
    )
    assert (total.stable.total, total.stable.events) == (
        sum(stable[0] for _, stable in steps),
        sum(stable[1] for _, stable in steps),
    )


@settings(deadline=None, max_examples=30)
@given(ticks, st.integers(0, 24), st.booleans())
def test_a_restart_at_any_point_changes_no_evidence(steps, restart, shared):
    """Whether stable fails as well, and for how long the candidate has been silent, is asked anew after a restart; what
    does not hang on that is the same to the bit."""
    plain, restarted = Fleet(FULL), Fleet(FULL)
    starts = {}
    for one in (plain, restarted):
        one.look()
    starts[0.0] = restarted.snapshot()
    for i, (candidate, stable) in enumerate(steps):
        if i == restart:
            assert restarted.state.stamp is not None
            restarted.restart(starts[restarted.state.stamp])
        for one in (plain, restarted):
            one.tick(candidate, stable if shared else (stable[0], 0, 0))
        starts[restarted.now] = restarted.snapshot()
        assert restarted.state.stamp == plain.state.stamp
        assert restarted.state.relative == plain.state.relative
        assert relative(restarted) == relative(plain)
        if not shared:
            assert replace(restarted.state, reach=plain.state.reach) == plain.state
            assert [j.e_value for j in restarted.judgements] == [j.e_value for j in plain.judgements]


def test_a_change_of_weight_closes_the_block_and_skips_one_timeout_of_comparison(fleet):
    fleet.tick((2, 2, 0), (9, 0, 0))
    fleet.set_weight(25)
    fleet.tick((1, 0, 0), (1, 0, 0))
    state = fleet.state
    assert (state.stamp, state.weight, state.comparable_from) == (4, 25, 2 + ERRORS.request_timeout)
    compared = state.relative["errorRate"]
    assert (compared.worse.blocks, compared.total.candidate.total) == (1, 3)
    while fleet.now < state.comparable_from:
        fleet.tick((10, 10, 0), (10, 0, 0))
    assert fleet.state.relative["errorRate"] == compared
    assert absolute(fleet).verdict is Verdict.BREACH  # the fixed maximum misses nothing
    fleet.tick((10, 0, 0), (10, 0, 0))
    assert fleet.state.relative["errorRate"].total.candidate.total == 13


def test_a_change_of_pods_closes_the_block(fleet):
    fleet.tick((1, 0, 0), (1, 0, 0))
    assert fleet.state.stamp == 0
    fleet.candidate.append(Pod())
    fleet.tick((1, 0, 0), (1, 0, 0))
    assert fleet.state.stamp == 4
    fleet.candidate.pop()
    fleet.tick((1, 0, 0), (1, 0, 0))
    assert fleet.state.stamp == 6
    assert fleet.state.absolute["errorRate"].total.candidate.total == 3


def test_what_a_pod_counted_before_it_vanished_is_kept(fleet):
    fleet.candidate[1].serve(3, 1)
    fleet.tick((1, 0, 0), (1, 0, 0))
    fleet.candidate.pop()
    fleet.tick((1, 0, 0), (1, 0, 0))
    total = fleet.state.absolute["errorRate"].total.candidate
    assert (total.total, total.events) == (5, 1)


def test_open_blocks_count_provisionally_against_a_fixed_maximum_and_not_in_a_comparison(fleet):
    fleet.tick((4, 4, 0), (3, 0, 0))
    assert fleet.state.stamp == 0
    assert absolute(fleet).e_value > 300
    assert absolute(fleet).verdict is Verdict.BREACH
    assert relative(fleet).verdict is Verdict.NOT_ENOUGH_DATA
    assert fleet.state.absolute["errorRate"].above.blocks == 0


def test_an_older_snapshot_changes_nothing(fleet):
    old = fleet.snapshot()
    fleet.tick((3, 0, 0), (3, 0, 0))
    state, window, judgements = advance(ERRORS, fleet.state, fleet.window, old, Rollout("c", "s", 10, -1000.0))
    assert (state, window.latest) == (fleet.state, fleet.window.latest)
    assert judgements == fleet.judgements


def test_without_stable_there_is_no_control_and_the_fixed_maximum_still_guards():
    rollout = Rollout("c", None, 100, -1000.0)
    fleet = Fleet(ERRORS)
    state, window, judgements = advance(ERRORS, State(), None, fleet.snapshot(), rollout)
    fleet.candidate[0].serve(4, 4)
    fleet.now += 2
    state, window, judgements = advance(ERRORS, state, window, fleet.snapshot(), rollout)
    assert [str(judgement.verdict) for judgement in judgements] == ["Breach", "NoControl"]
    assert judgements[0].stable is None


def test_without_a_route_fixed_maxima_guard_what_comes_past_it_and_nothing_is_compared():
    def snapshot(stamp, stable, candidate):
        counters = {"s": stable, "c": candidate}
        pods = {
            name: {f"{name}1": PodCounters(stamp, direct=RequestCounts(*numbers))} for name, numbers in counters.items()
        }
        return Snapshot(stamp, pods)

    state, window = State(), None
    for second, candidate in enumerate([(0, 0), (0, 0), (10, 9)]):
        now = snapshot(2.0 * second, (100 * second, 0), candidate)
        state, window, judgements = advance(ERRORS, state, window, now, Rollout("c", "s", 50, -1000.0, routed=False))
    assert [str(judgement.verdict) for judgement in judgements] == ["Breach", "NoControl"]
    assert judgements[0].candidate.events == 9


def test_at_full_weight_there_is_no_control(fleet):
    fleet.set_weight(100)
    fleet.tick((10, 0, 0), (0, 0, 0))
    assert relative(fleet).verdict is Verdict.NO_CONTROL


def test_a_stable_that_stays_silent_does_not_keep_blocks_open(fleet):
    fleet.set_weight(99)
    fleet.tick((0, 0, 0), (0, 0, 0))
    start = fleet.state.stamp
    for _ in range(3):
        fleet.tick((100, 0, 0), (1, 0, 0))
    assert fleet.state.stamp > start


def test_no_guards_no_judgements():
    fleet = Fleet(Config())
    assert fleet.look() == []
    assert fleet.tick((10, 10, 0), (10, 0, 0)) == []


# --- state ---


def test_the_state_of_three_guards_stays_small():
    fleet = Fleet(FULL)
    fleet.look()
    for _ in range(20):
        fleet.tick((1_000_000, 999_999, 77_777), (1_000_000, 123_456, 77_777))
    text = encode(fleet.state)
    assert len(text) < 2048
    assert decode(text) == fleet.state


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"v":2}', '{"v":1,"stamp":0}', '{"v":1,"abs":[]}'])
def test_an_unreadable_state_is_refused(text):
    with pytest.raises(ValueError):
        decode(text)


def test_the_state_is_plain_json(fleet):
    fleet.tick((5, 1, 0), (5, 0, 0))
    assert json.loads(encode(fleet.state))["stamp"] == 2


# --- editing guards in mid-rollout ---


def alphas(state: State) -> dict[str, float]:
    return {
        **{f"absolute {name}": one.alpha for name, one in state.absolute.items()},
        **{f"relative {name}": one.alpha for name, one in state.relative.items()},
    }


def test_alpha_is_shared_evenly_at_first():
    fleet = Fleet(FULL)
    fleet.look()
    assert list(alphas(fleet.state).values()) == pytest.approx([0.0099 / 3] * 3)
    assert spent(FULL, fleet.state) == pytest.approx(0)
    assert [judgement.threshold for judgement in fleet.judgements] == pytest.approx([303] * 3, rel=1e-3)


def test_an_edited_guard_starts_anew_with_what_is_left_and_the_others_go_on():
    fleet = Fleet(FULL)
    fleet.look()
    for _ in range(20):
        fleet.tick((10, 0, 0), (10, 0, 0))
    before = fleet.state
    fleet.config = Config(error_rate_max=0.05, worse_than_stable=1.5, latencies=(LatencyGuard(95, 0.2),))
    fleet.tick((4, 4, 0), (10, 0, 0))  # seen before the edit was, so it is no evidence for the new question
    after = fleet.state
    assert fleet.judgements[0].candidate.total == 0
    assert after.relative == before.relative
    assert after.absolute["latency-p95"] == before.absolute["latency-p95"]
    edited = after.absolute["errorRate"]
    assert edited.total.candidate.total == 0
    assert 0 < edited.alpha < before.absolute["errorRate"].alpha
    assert spent(fleet.config, after) > 0


configs = st.builds(
    Config,
    error_rate_max=st.sampled_from([None, 0.05, 0.10]),
    worse_than_stable=st.sampled_from([None, 1.5, 2.0]),
    latencies=st.lists(
        st.builds(LatencyGuard, st.sampled_from([95, 99]), st.just(0.2)), max_size=2, unique_by=lambda g: g.percentile
    ).map(tuple),
)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(configs, side, side), min_size=1, max_size=12))
def test_whatever_is_edited_never_more_than_alpha_is_held(steps):
    fleet = Fleet(ERRORS)
    fleet.look()
    for config, candidate, stable in steps:
        fleet.config = config
        fleet.tick(candidate, stable)
        held = alphas(fleet.state)
        assert all(alpha > 0 for alpha in held.values())
        assert sum(held.values()) + (fleet.state.reserve or 0) <= 0.01 + 1e-12
        assert len(held) == len(fleet.judgements)


def test_removing_all_guards_and_adding_them_again_is_no_fresh_start():
    fleet = Fleet(FULL)
    fleet.look()
    for _ in range(20):
        fleet.tick((10, 0, 0), (10, 0, 0))
    fleet.config = Config()
    fleet.look()
    fleet.config = FULL
    fleet.look()
    assert sum(alphas(fleet.state).values()) < 0.01


# --- configuration ---


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"error_rate_max": 0.0}, "more than 0 %"),
        ({"error_rate_max": 1.0}, "less than 100 %"),
        ({"worse_than_stable": 0.0}, "odds ratio"),
        ({"alpha": 0.0}, "alpha"),
        ({"latencies": (LatencyGuard(95, 0.2), LatencyGuard(95, 0.3))}, "same percentile"),
    ],
)
def test_a_configuration_that_cannot_be_tested_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Config(**values)


def test_a_snapshot_without_any_pods_is_not_enough_data():
    _, _, judgements = advance(FULL, State(), None, Snapshot(0.0), Rollout("c", "s", 10, 0.0))
    assert {judgement.verdict for judgement in judgements} == {Verdict.NOT_ENOUGH_DATA}
