"""Percentages and decimals as users write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viridian.api.quantities import parse_decimal, parse_percent


@given(st.integers(min_value=1, max_value=99_999))
def test_a_percentage_is_a_share_of_one(thousandths: int) -> None:
    # given any percentage to a thousandth
    text = f"{thousandths / 1000:.3f}%"

    # then it reads as that share, above 0 and below 1
    assert parse_percent(text) == pytest.approx(thousandths / 100_000)
    assert 0 < parse_percent(text) < 1


@pytest.mark.parametrize(
    "text", ["", "%", "10", "-1%", "0%", "100%", "100.1%", "150%", "1e1%", "0.0001%", "10%\n", "10 %"]
)
def test_what_is_no_percentage_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not a percentage above 0% and below 100%"):
        parse_percent(text)


@given(st.integers(min_value=0, max_value=99_999_999))
def test_a_decimal_reads_as_written(ten_thousandths: int) -> None:
    text = f"{ten_thousandths // 10_000}.{ten_thousandths % 10_000:04d}"
    assert parse_decimal(text) == pytest.approx(ten_thousandths / 10_000)


@pytest.mark.parametrize("text", ["", "1,5", "-1", "1.", ".5", "1e3", "10000", "1.23456", "1.5\n", "nan", "inf"])
def test_what_is_no_decimal_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not a decimal number: write digits such as"):
        parse_decimal(text)
