import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from viridian.guards.absolute import ABOVE, BELOW, log_likelihood_ratios
from viridian.guards.counts import Counts
from viridian.guards.evidence.eprocess import EProcess

maxima = st.floats(0.001, 0.9)


def mean_ratio(n, maximum, odds_ratios, j, p):
    ratios = [log_likelihood_ratios(Counts(n, x), maximum, odds_ratios)[j] for x in range(n + 1)]
    return math.fsum(math.exp(binom.logpmf(x, n, p) + ratio) for x, ratio in enumerate(ratios))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 60), maxima, st.floats(0.001, 1.0))
def test_the_ratio_for_being_above_averages_to_at_most_one_below_the_maximum(n, maximum, part):
    for j in range(len(ABOVE)):
        assert mean_ratio(n, maximum, ABOVE, j, maximum) == pytest.approx(1, abs=1e-9)
        assert mean_ratio(n, maximum, ABOVE, j, part * maximum) <= 1 + 1e-9


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 60), maxima, st.floats(0.0, 0.999))
def test_the_ratio_for_being_below_averages_to_at_most_one_above_the_maximum(n, maximum, part):
    p = maximum + part * (1 - maximum)
    for j in range(len(BELOW)):
        assert mean_ratio(n, maximum, BELOW, j, maximum) == pytest.approx(1, abs=1e-9)
        assert mean_ratio(n, maximum, BELOW, j, p) <= 1 + 1e-9


@given(st.integers(1, 1_000_000), st.data(), maxima)
def test_it_is_the_ratio_of_binomial_probabilities(n, data, maximum):
    x = data.draw(st.integers(0, n))
    for ratio, ours in zip(ABOVE, log_likelihood_ratios(Counts(n, x), maximum, ABOVE), strict=True):
        other = ratio * maximum / (1 - maximum + ratio * maximum)
        expected = x * math.log(other / maximum) + (n - x) * math.log((1 - other) / (1 - maximum))
        assert ours == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_being_better_is_no_evidence_of_being_worse():
    ratios = log_likelihood_ratios(Counts(10_000, 0), 0.10, ABOVE)
    assert all(ratio < 0 for ratio in ratios)


def test_how_many_good_requests_say_that_ten_percent_is_kept():
    process, requests = EProcess.start(len(BELOW)), 0
    while process.evidence < 20:
        process, requests = process.update(log_likelihood_ratios(Counts(1, 0), 0.10, BELOW)), requests + 1
    assert 35 <= requests <= 55


@pytest.mark.parametrize("maximum", [0.0, 1.0, -0.1, 1.5])
def test_a_maximum_that_is_no_share_is_refused(maximum):
    with pytest.raises(ValueError, match="maximum share"):
        log_likelihood_ratios(Counts(1, 0), maximum, ABOVE)
