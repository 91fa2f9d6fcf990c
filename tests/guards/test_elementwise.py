"""Each formula gives for an array what it gives for each of its numbers."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from viridian.guards import absolute, blame, design, relative
from viridian.guards.evidence import elementwise, eprocess

COUNTS = st.lists(
    st.tuples(*[st.integers(0, 300)] * 4).map(lambda n: (n[0], min(n[0], n[1]), n[2], min(n[2], n[3]))),
    min_size=1,
    max_size=6,
)
"""Requests and failures of the candidate, and of stable."""


def alike(formula: Callable[..., Any], columns: list[tuple[float, ...]]) -> None:
    """Whether a formula says the same of numbers one by one and of arrays of them."""
    one_by_one = [formula(*(float(each) for each in column)) for column in columns]
    together = formula(*(np.array(row, dtype=float) for row in zip(*columns, strict=True)))
    assert np.array(together) == pytest.approx(np.array(one_by_one), rel=1e-9, abs=1e-9)


@given(COUNTS, st.sampled_from([0.3, 1.0, 1.5, 12.0]))
def test_the_comparison_with_stable(counts: list[tuple[int, int, int, int]], psi0: float) -> None:
    for number in range(len(relative.ALTERNATIVES)):
        alike(
            lambda n_c, x, n_s, y, number=number: list(relative.log_ratios(x, n_c, n_s, x + y, psi0))[number],
            counts,
        )


@given(COUNTS)
def test_the_normaliser_is_the_sum_over_all_possible_numbers(counts: list[tuple[int, int, int, int]]) -> None:
    for n_c, x, n_s, y in counts:
        events, psi = min(n_c, 40, x) + min(n_s, 40, y), 2.5
        n_c, n_s = min(n_c, 40), min(n_s, 40)
        events = min(events, n_c + n_s)
        possible = range(max(0, events - n_s), min(events, n_c) + 1)
        total = sum(math.comb(n_c, i) * math.comb(n_s, events - i) * psi**i for i in possible)
        assert relative.log_normaliser(n_c, n_s, events, math.log(psi)) == pytest.approx(math.log(total), abs=1e-9)


@given(COUNTS)
def test_fixed_maxima(counts: list[tuple[int, int, int, int]]) -> None:
    alike(lambda n_c, x, n_s, y: absolute.log_likelihood_ratio(x, n_c, 0.1, 6.0), counts)
    alike(lambda n_c, x, n_s, y: blame.told_apart(y, n_s, 0.1, 0.5 + 0 * y), counts)


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.integers(0, 5000)), min_size=1, max_size=6))
def test_the_evidence_of_many_looks(columns: list[tuple[float, float, int]]) -> None:
    alike(lambda a, b, k: eprocess.weighed(a, b, elementwise.log(eprocess.weight(k + 1))), columns)
    alike(lambda a, b, k: eprocess.log_e_value((a, b, a + b), k), columns)


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(1, 9), st.floats(1, 9)), min_size=1, max_size=6))
def test_what_pods_show_of_clusters(columns: list[tuple[float, float, float]]) -> None:
    alike(design.tempered, columns)
    alike(design.own_effect, [column[1:] for column in columns])


@pytest.mark.parametrize("n", [0, 1, 7, 20_000])
def test_factorials(n: int) -> None:
    assert elementwise.log_factorial(np.array([float(n)])) == pytest.approx(math.lgamma(n + 1))
