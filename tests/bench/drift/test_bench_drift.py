"""The simulation itself: its rules are ours, and what it draws is what it says."""

import numpy as np
import pytest
from tests.bench.drift.__main__ import HOLD, LOOKS_A_DAY, alarms, shifted, variable, windows
from tests.bench.drift.rules import g_statistic, ours, psi

from viridian_shared import drift


def test_both_writings_of_the_formulas_agree():
    # given
    rng = np.random.default_rng(1)
    served = rng.multinomial(np.array([3, 40, 5000]), [0.5, 0.3, 0.2, 0.0]).astype(float)
    baseline = np.array([100.0, 80.0, 20.0, 0.0])
    shares = baseline / baseline.sum()
    for row, by_psi, by_g, found in zip(
        served, psi(served, baseline), g_statistic(served, baseline), ours(served, baseline), strict=True
    ):
        # when
        a, n, m = row / row.sum(), row.sum(), baseline.sum()
        # then
        assert by_psi == pytest.approx(drift.psi(a, shares))
        assert by_g == pytest.approx(drift.g_statistic(a, shares, n, m))
        assert found == drift.drifts(a, shares, n, m)


def test_a_baseline_has_its_rows_in_ten_bins_and_likelihoods_add_up():
    counts, shares, moved = variable(np.random.default_rng(1), 400)
    assert (counts.sum(), list(counts[1:-2])) == (400, [40] * 10)
    assert shares.sum() == pytest.approx(1)
    assert moved.sum() == pytest.approx(1)
    assert moved[-2] > shares[-2]


def test_a_window_is_a_day():
    # given
    shares = np.array([0.5, 0.5])
    # when
    found = windows(np.random.default_rng(1), [(3 * LOOKS_A_DAY, shares)], 10)
    # then
    assert found[-1].sum() == pytest.approx(14400, rel=0.05)
    assert found[LOOKS_A_DAY // 2].sum() == pytest.approx(7200, rel=0.05)


def test_an_alarm_begins_when_the_condition_has_held():
    drifts = np.array([True] * (HOLD - 1) + [False] + [True] * (HOLD + 3) + [False])
    assert alarms(drifts) == [2 * HOLD - 1]


def test_a_shift_of_half_a_standard_deviation_is_found_within_a_day_at_sixty_requests_a_minute():
    ours_row, _ = shifted(3, 60, 2000)
    assert ours_row["found_within_a_day"] == 3
