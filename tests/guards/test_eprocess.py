import math

from hypothesis import given
from hypothesis import strategies as st
from tests.guards.fleet import seeded

from viridian.guards.evidence.eprocess import HEAD, EProcess, log_sum_exp, unspent, weight

ratios = st.floats(-50, 50, allow_nan=False)


def test_the_mass_on_change_points_is_handed_out_once():
    handed_out = math.fsum(weight(block) for block in range(1, 5001))
    assert math.isclose(HEAD + handed_out + unspent(5000), 1.0, rel_tol=1e-12)


def test_before_any_data_there_is_no_evidence():
    assert math.isclose(EProcess.start(3).evidence, 1.0, rel_tol=1e-6)


@given(st.lists(st.tuples(ratios, ratios), max_size=20))
def test_the_recursion_in_logarithms_is_the_recursion(blocks):
    process, plain = EProcess.start(2), [HEAD, HEAD]
    for number, block in enumerate(blocks, start=1):
        process = process.update(block)
        plain = [math.exp(ratio) * (s + weight(number)) for ratio, s in zip(block, plain, strict=True)]
    expected = sum(plain) / 2 + unspent(len(blocks))
    assert math.isclose(process.log_evidence, math.log(expected), abs_tol=1e-4)


def test_a_good_past_does_not_hide_a_late_regression():
    process = EProcess.start(1)
    for _ in range(10_000):
        process = process.update((-1.0,))
    assert process.quiet
    for _ in range(20):
        process = process.update((1.0,))
    assert process.evidence > 300


@given(st.lists(ratios, min_size=1, max_size=5))
def test_log_sum_exp_neither_overflows_nor_loses_the_largest(logs):
    scaled = [1e5 * value for value in logs]
    assert max(scaled) <= log_sum_exp(scaled) <= max(scaled) + math.log(len(scaled)) + 1e-9


def test_extreme_evidence_stays_finite():
    up, down = EProcess.start(3), EProcess.start(3)
    for _ in range(50):
        up, down = up.update((1e6,) * 3), down.update((-1e6,) * 3)
    assert math.isfinite(up.evidence)
    assert math.isfinite(up.log_evidence)
    assert 0 < down.evidence < 1


@given(st.lists(ratios, min_size=3, max_size=3), st.floats(0.1, 1000))
def test_a_cap_bounds_the_evidence_and_never_raises_it(block, most):
    process = EProcess.start(3).update(block)
    capped = process.capped(most)
    assert capped.log_evidence <= process.log_evidence + 1e-6
    assert capped.evidence <= most + 1


def test_without_an_effect_the_threshold_is_reached_no_more_often_than_promised():
    """A fair coin against one that is heavier: Ville's inequality, by simulation."""
    rng = seeded(1)
    heavier = [math.log(p / 0.5) for p in (0.6, 0.8)], [math.log((1 - p) / 0.5) for p in (0.6, 0.8)]
    reached = 0
    for _ in range(200):
        process = EProcess.start(2)
        for _ in range(100):
            process = process.update(heavier[0] if rng.random() < 0.5 else heavier[1])
            if process.evidence >= 10:
                reached += 1
                break
    assert reached <= 0.1 * 200 + 2 * math.sqrt(200 * 0.1 * 0.9)
