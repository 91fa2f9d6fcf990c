"""Cells that make text of a column of numbers."""

from collections.abc import Iterator
from typing import Final

from viridian_import.messages import Column
from viridian_import.sample.numbers import is_number
from viridian_import.sample.table import Table
from viridian_serving.codec.tensors import Kind

_NUMBERS: Final = 3
"""Numbers for each other cell, from which on a column was meant to hold numbers."""


def odd_cells(sample: Table) -> Iterator[str]:
    """Yield a sentence for each column that is text, although nearly all of its cells are numbers."""
    for column in sample.columns:
        if column.kind is Kind.STRING and (odd := _odd(column)) is not None:
            yield (
                f"row {odd + 1} of the sample holds {column.values[odd]!r} in column {column.name!r}, whose other "
                "cells are numbers, or nearly all; correct that cell"
            )


def _odd(column: Column) -> int | None:
    """The first row that holds no number, where most others do."""
    present = [row for row, value in enumerate(column.values) if value is not None]
    odd = [row for row in present if not is_number(column.values[row])]
    return odd[0] if odd and len(present) - len(odd) >= _NUMBERS * len(odd) else None
