"""Pauses grow up to a bound, and those who failed together do not come back together."""

from itertools import islice

import pytest

from viridian.kube.backoff import Backoff


def test_each_pause_is_twice_the_one_before_up_to_the_longest() -> None:
    backoff = Backoff(first=0.2, longest=8.0, jitter=0)
    assert [backoff.pause(failures) for failures in range(1, 9)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 8.0, 8.0]


def test_an_iterator_never_ends_and_the_next_one_starts_over() -> None:
    backoff = Backoff(first=0.2, longest=0.4, jitter=0)
    assert [*islice(backoff, 4)] == [*islice(backoff, 4)] == [0.2, 0.4, 0.4, 0.4]


@pytest.mark.parametrize("failures", [1, 4, 1_000_000])
def test_pauses_of_the_same_length_differ_within_the_jitter(failures: int) -> None:
    backoff, whole = Backoff(first=1.0, longest=8.0, jitter=0.25), min(8.0, 2.0 ** min(failures - 1, 9))
    pauses = {backoff.pause(failures) for _ in range(50)}
    assert len(pauses) > 1
    assert 0.75 * whole <= min(pauses) <= max(pauses) <= whole
