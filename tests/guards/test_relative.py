import math
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy.stats import nchypergeom_fisher

from viridian.guards.counts import Block, Counts
from viridian.guards.evidence.eprocess import EProcess
from viridian.guards.relative import ALTERNATIVES, log_likelihood_ratios, log_normaliser

sizes = st.integers(0, 40)
odds = st.floats(0.2, 5.0)


def block(n_c, x_c, n_s, x_s):
    return Block(Counts(n_c, x_c), Counts(n_s, x_s))


def exact_log_pmf(n_c, n_s, events, psi):
    """The distribution, term by term in plain arithmetic."""
    support = range(max(0, events - n_s), min(events, n_c) + 1)
    terms = [math.comb(n_c, i) * math.comb(n_s, events - i) * psi**i for i in support]
    return {i: math.log(term / math.fsum(terms)) for i, term in zip(support, terms, strict=True)}


@settings(max_examples=100, deadline=None)
@given(sizes, sizes, st.data(), odds, st.floats(0.01, 1.0))
def test_the_ratio_averages_to_at_most_one_wherever_the_null_hypothesis_holds(n_c, n_s, data, psi0, below):
    events = data.draw(st.integers(0, n_c + n_s))
    truth = exact_log_pmf(n_c, n_s, events, psi0 * below)
    for j in range(len(ALTERNATIVES)):
        mean = math.fsum(
            math.exp(log_p + log_likelihood_ratios(block(n_c, x, n_s, events - x), psi0)[j])
            for x, log_p in truth.items()
        )
        assert mean <= 1 + 1e-9


@settings(max_examples=100, deadline=None)
@given(sizes, sizes, st.data(), odds)
def test_the_ratio_averages_to_exactly_one_at_the_edge_of_the_null_hypothesis(n_c, n_s, data, psi0):
    events = data.draw(st.integers(0, n_c + n_s))
    truth = exact_log_pmf(n_c, n_s, events, psi0)
    for j in range(len(ALTERNATIVES)):
        mean = math.fsum(
            math.exp(log_p + log_likelihood_ratios(block(n_c, x, n_s, events - x), psi0)[j])
            for x, log_p in truth.items()
        )
        assert mean == pytest.approx(1, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(sizes, sizes, st.data(), odds)
def test_more_failures_on_the_candidate_are_more_evidence(n_c, n_s, data, psi0):
    events = data.draw(st.integers(0, n_c + n_s))
    support = range(max(0, events - n_s), min(events, n_c) + 1)
    rows = [log_likelihood_ratios(block(n_c, x, n_s, events - x), psi0) for x in support]
    for fewer, more in pairwise(rows):
        assert all(a < b for a, b in zip(fewer, more, strict=True))


# Many draws are left out, which is no sign that the others say little.
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.integers(1, 3000), st.integers(1, 3000), st.data(), odds)
def test_it_agrees_with_scipy(n_c, n_s, data, psi0):
    events = data.draw(st.integers(1, min(n_c + n_s - 1, 800)))
    x = data.draw(st.integers(max(0, events - n_s), min(events, n_c)))
    base = nchypergeom_fisher.logpmf(x, n_c + n_s, n_c, events, psi0)
    assume(base > -100)  # far out scipy loses digits
    ours = log_likelihood_ratios(block(n_c, x, n_s, events - x), psi0)
    for times, ratio in zip(ALTERNATIVES, ours, strict=True):
        theirs = nchypergeom_fisher.logpmf(x, n_c + n_s, n_c, events, psi0 * times) - base
        if theirs > -100:
            assert ratio == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize(
    "silent",
    [(10, 0, 90, 0), (10, 10, 90, 90), (0, 0, 90, 4), (10, 4, 0, 0), (0, 0, 0, 0)],
    ids=["no failures", "only failures", "no candidate", "no stable", "nothing"],
)
def test_a_block_that_can_say_nothing_says_exactly_nothing(silent):
    assert log_likelihood_ratios(block(*silent), 1.5) == (0.0,) * len(ALTERNATIVES)


def test_a_million_requests_in_a_block_are_exact_and_quick():
    n, events = 1_000_000, 400_000
    start = time.thread_time()
    ratios = log_likelihood_ratios(block(n, 200_000, n, 200_000), 1.5)
    seconds = time.thread_time() - start
    assert all(math.isfinite(ratio) and ratio < 0 for ratio in ratios)
    assert seconds < 1  # some 20 ms of this thread's own time, which a busy machine does not lengthen much
    # The sum over all terms, with numpy, for comparison.
    i = np.arange(1, events + 1, dtype=float)
    steps = np.log(n - i + 1) + np.log(events - i + 1) - np.log(i) - np.log(n - events + i)
    first = math.lgamma(n + 1) - math.lgamma(events + 1) - math.lgamma(n - events + 1)
    logs = first + np.concatenate([[0.0], np.cumsum(steps + math.log(1.5))])
    assert log_normaliser(n, n, events, math.log(1.5)) == pytest.approx(np.logaddexp.reduce(logs), abs=1e-4)


@pytest.mark.parametrize("share", [0.05, 0.10, 0.25, 0.50])
def test_a_block_of_ten_thousand_requests_takes_milliseconds(share):
    n_c = round(10_000 * share)
    start = time.thread_time()
    log_likelihood_ratios(block(n_c, n_c // 2, 10_000 - n_c, 100), 1.5)
    assert time.thread_time() - start < 0.1


@pytest.mark.parametrize(("share", "failures"), [(0.05, 3), (0.10, 4), (0.25, 7), (0.50, 14)])
def test_how_many_failures_it_takes_when_all_of_them_are_on_the_candidate(share, failures):
    process, n_c = EProcess.start(len(ALTERNATIVES)), round(10_000 * share)
    seen = 0
    while process.evidence < 300:
        process = process.update(log_likelihood_ratios(block(n_c, 1, 10_000 - n_c, 0), 1.5))
        seen += 1
    assert seen == failures


@given(st.integers(1, 30), st.integers(1, 30), st.floats(1, 20))
def test_a_design_effect_shrinks_the_evidence(n_c, n_s, effect):
    plain = log_likelihood_ratios(block(n_c, n_c, n_s, 0), 1.5)
    shrunk = log_likelihood_ratios(block(n_c, n_c, n_s, 0), 1.5, effect)
    assert shrunk == pytest.approx([ratio / effect for ratio in plain])


@pytest.mark.parametrize(("psi0", "effect"), [(0.0, 1.0), (-1.0, 1.0), (1.5, 0.9)])
def test_nonsense_is_refused(psi0, effect):
    with pytest.raises(ValueError, match="psi0 must be > 0"):
        log_likelihood_ratios(block(1, 1, 1, 0), psi0, effect)
