"""Sizes as users write them."""

import pytest

from viridian_shared.sizes import parse_size


@pytest.mark.parametrize(("text", "mebibytes"), [("1Mi", 1), ("512Mi", 512), ("2Gi", 2048)])
def test_a_size_is_read_in_mebibytes(text: str, mebibytes: int) -> None:
    assert parse_size(text) == mebibytes


@pytest.mark.parametrize("text", ["", "0Mi", "5", "1.5Gi", "-1Mi", "1Ki", "1Gi\n", "100000Mi", "big"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size: write a whole number with Mi or Gi, such as 512Mi or 2Gi"):
        parse_size(text)
