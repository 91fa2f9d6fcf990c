"""How long both models take for one row and for many."""

from dataclasses import dataclass
from typing import Final

from viridian_import.original.process import OriginalModel
from viridian_import.prove.onnx_side import OnnxSide
from viridian_import.sample.table import Table
from viridian_import.timing import microseconds_of
from viridian_serving.contract.contract import Contract
from viridian_shared.words import count

SIZES: Final = (1, 100)
_SECONDS: Final = 0.3
"""For each figure."""


@dataclass(frozen=True)
class Speed:
    """Microseconds of a call, as the median."""

    rows: int
    original: float
    onnx: float

    @property
    def size(self) -> str:
        """How many rows, in words."""
        return count(self.rows, "row")


def measure(original: OriginalModel, side: OnnxSide, answered: Table, contract: Contract) -> list[Speed]:
    """Measure both models.

    Args:
        original: Takes a data frame, as who trained it gives it.
        side: Takes arrays, with one thread.
        answered: Rows of the sample that both answer.
        contract: Which feature goes where.

    Returns:
        A figure for each size.
    """
    found = []
    for size in SIZES:
        rows = repeated(answered, size)
        found.append(Speed(size, original.measure(rows, _SECONDS), time_of(side, rows, contract)))
    return found


def repeated(table: Table, size: int) -> Table:
    """Return so many rows of a table: its first, and, where it has too few, these again."""
    return table.take([row % table.rows for row in range(size)])


def time_of(side: OnnxSide, rows: Table, contract: Contract) -> float:
    """Return the microseconds that one call with these rows takes, as the median of calls for some time."""
    return microseconds_of(side.prepared(rows, contract), _SECONDS)
