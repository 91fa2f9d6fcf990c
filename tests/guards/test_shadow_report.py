"""The report of a shadow step, from counters."""

import math

import pytest

from viridian.guards.shadow_report import ShadowReport, tail


@pytest.mark.parametrize(
    ("buckets", "seconds"),
    [
        ({}, None),
        ({0.1: 0, math.inf: 0}, None),
        ({0.1: 100, math.inf: 100}, 0.095),
        ({0.1: 90, 0.2: 100, math.inf: 100}, 0.15),
        ({0.1: 10, 0.2: 10, 0.4: 20, math.inf: 20}, 0.38),
        ({0.1: 1, math.inf: 100}, 0.1),  # nobody knows how long, so at least so long
    ],
)
def test_the_95th_percentile_of_a_histogram(buckets: dict[float, float], seconds: float | None) -> None:
    assert tail(buckets) == (None if seconds is None else pytest.approx(seconds))


def test_only_what_both_answered_is_compared() -> None:
    assert ShadowReport(agreed=3, disagreed=2, failed=5, dropped=7).compared == 5
