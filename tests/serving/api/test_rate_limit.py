"""Token buckets, with the time as an argument."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from viridian_serving.api import rate_limit
from viridian_serving.api.rate_limit import RateLimit


def test_a_burst_passes_and_then_the_rate():
    limit = RateLimit(rate=2, burst=3)
    assert [limit.admit("a", 0.0) for _ in range(4)] == [0, 0, 0, 1]
    assert [limit.admit("a", 0.5), limit.admit("a", 0.5)] == [0, 1]


def test_who_is_refused_is_told_how_long_to_wait_and_then_may():
    limit = RateLimit(rate=0.1, burst=1)
    limit.admit("a", 0.0)
    assert limit.admit("a", 1.0) == 9
    assert limit.admit("a", 10.0) == 0


def test_one_client_does_not_use_up_another_s():
    limit = RateLimit(rate=1, burst=1)
    assert limit.admit("a", 0.0) == 0
    assert limit.admit("a", 0.0) > 0
    assert limit.admit("b", 0.0) == 0


def test_ever_new_clients_take_no_more_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rate_limit, "_MOST_CLIENTS", 3)
    limit = RateLimit(rate=1, burst=1)
    for client in "abcabd":
        limit.admit(client, 0.0)
    # then the one longest away is forgotten, and not the others
    assert [limit.admit(client, 0.0) for client in "bd"] == [1, 1]
    assert limit.admit("c", 0.0) == 0


@given(st.lists(st.floats(0, 1), max_size=200), st.floats(0.5, 20), st.integers(1, 10))
def test_no_more_than_the_burst_and_the_rate_ever_pass(pauses: list[float], rate: float, burst: int):
    limit, now, passed = RateLimit(rate, burst), 0.0, 0
    for pause in pauses:
        now += pause
        passed += limit.admit("a", now) == 0
    assert passed <= burst + rate * now + 1e-6
