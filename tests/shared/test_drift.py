"""The measures of drift, against what is known of them."""

import math
import random
from itertools import pairwise
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viridian_shared.drift import (
    PRACTICAL,
    chi_squared,
    critical_g,
    drifts,
    enough_values,
    g_statistic,
    jensen_shannon,
    psi,
    range_name,
    range_of,
)

shares = st.lists(st.integers(0, 1000), min_size=2, max_size=12).filter(any)


def normalised(counts: list[int]) -> list[float]:
    return [count / sum(counts) for count in counts]


def test_psi_of_a_worked_example() -> None:
    assert psi([0.25, 0.75], [0.5, 0.5]) == pytest.approx(-0.25 * math.log(0.5) + 0.25 * math.log(1.5))


def test_jensen_shannon_of_what_has_nothing_in_common_is_one_bit() -> None:
    assert jensen_shannon([1, 0], [0, 1]) == pytest.approx(1, abs=0.02)


@given(shares, st.randoms())
def test_the_same_is_no_distance_and_each_distance_is_symmetric(counts: list[int], shuffle: random.Random) -> None:
    # given
    one = normalised(counts)
    other = shuffle.sample(one, len(one))
    # then
    assert psi(one, one) == jensen_shannon(one, one) == 0
    assert psi(one, other) == pytest.approx(psi(other, one))
    assert jensen_shannon(one, other) == pytest.approx(jensen_shannon(other, one))
    assert jensen_shannon(one, other) >= -1e-12


@pytest.mark.parametrize(("freedom", "known"), [(1, 10.828), (9, 27.877), (12, 32.909), (30, 59.703)])
def test_quantiles_of_chi_squared_are_those_of_tables(freedom: int, known: float) -> None:
    assert chi_squared(freedom, NormalDist().inv_cdf(0.999)) == pytest.approx(known, rel=0.04)


def test_g_of_a_table_in_a_textbook() -> None:
    # Two samples in two bins, 10 and 20 against 30 and 5: 2 sum(O ln(O / E))
    observed, sizes, columns = [[10, 20], [30, 5]], [30, 35], [40, 25]
    pairs = [(o, sizes[i] * columns[j] / 65) for i, row in enumerate(observed) for j, o in enumerate(row)]
    known = 2 * sum(o * math.log(o / e) for o, e in pairs)
    assert g_statistic([1 / 3, 2 / 3], [30 / 35, 5 / 35], 30, 35) == pytest.approx(known)


@pytest.mark.parametrize(("values", "rows"), [(10, 1000), (300, 500), (50, 50)])
def test_under_no_drift_chance_hardly_ever_goes_beyond_the_critical_value(values: int, rows: int) -> None:
    # given
    draw = random.Random(1)
    bins, weights = range(12), [0.2] * 4 + [0.02] * 6 + [0.0005, 0.0]

    def drawn(size: int) -> list[float]:
        found = draw.choices(bins, weights, k=size)
        return [found.count(each) / size for each in bins]

    # when
    beyond = [g_statistic(drawn(values), drawn(rows), values, rows) > critical_g(12) for _ in range(300)]
    # then
    assert sum(beyond) == 0


def test_ten_values_in_one_of_two_bins_are_no_drift() -> None:
    assert psi([1, 0], [0.5, 0.5]) > PRACTICAL
    assert not drifts([1, 0], [0.5, 0.5], 10, 1000)
    assert drifts([1, 0], [0.5, 0.5], 100, 1000)


@pytest.mark.parametrize("ratio", [1, 3, 100])
def test_so_many_values_of_both_as_are_enough_make_the_least_change_that_matters_certain(ratio: int) -> None:
    # given two samples, one of them so many times as large
    before, after = [0.5, 0.5], [0.6555, 0.3445]
    assert psi(after, before) == pytest.approx(PRACTICAL, rel=0.01)
    values = enough_values(2) * (1 + 1 / ratio)
    # then
    assert g_statistic(after, before, values, ratio * values) == pytest.approx(critical_g(2), rel=0.03)


def test_a_change_that_is_certain_and_small_is_no_drift() -> None:
    assert not drifts([0.55, 0.45], [0.5, 0.5], 10**6, 10**6)


@pytest.mark.parametrize("bounds", list(pairwise([-1e30, -2.5, -1.0, 0.0, 0.1, 7.0, 1e20])))
def test_the_name_of_a_bin_says_its_bounds(bounds: tuple[float, float]) -> None:
    assert range_of(range_name(*bounds)) == bounds


@pytest.mark.parametrize("name", ["below", "missing", "Bern", "a..b", ".."])
def test_other_names_are_no_ranges(name: str) -> None:
    assert range_of(name) is None
