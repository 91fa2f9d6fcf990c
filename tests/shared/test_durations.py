"""Durations as users write them, and as the operator tells pods."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viridian_shared.durations import format_duration, parse_duration

durations = st.integers(min_value=0, max_value=99_999 * 3_600_000).map(lambda ms: timedelta(milliseconds=ms))


@given(durations)
def test_a_duration_that_is_written_reads_as_itself(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@given(st.lists(st.tuples(st.integers(0, 99_999), st.sampled_from(["h", "m", "s", "ms"])), min_size=1, max_size=4))
def test_a_duration_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    # given any parts, in any order
    text = "".join(f"{number}{unit}" for number, unit in parts)

    # when they are read together
    together = parse_duration(text)

    # then the whole is their sum, and what is written from it means the same
    assert together == sum((parse_duration(f"{number}{unit}") for number, unit in parts), timedelta())
    if together < timedelta(hours=100_000):
        assert parse_duration(format_duration(together)) == together


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(milliseconds=500), "500ms"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(hours=1, minutes=30), "1h30m"),
        (timedelta(seconds=1, milliseconds=500), "1s500ms"),
    ],
)
def test_durations_are_written_with_the_largest_units(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


@pytest.mark.parametrize("text", ["", "5", "-5s", "1.5s", "5 s", "5S", "1d", "5s\n", "1h2m3s4ms5s", "soon", "٣s"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(
        ValueError, match="is not a duration: write whole numbers with units, such as 500ms, 90s or 1h30m"
    ):
        parse_duration(text)
