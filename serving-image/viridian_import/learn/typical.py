"""A row in the middle of the sample."""

from collections import Counter
from statistics import median_low
from typing import Any, Final

from viridian_import.learn.sensitive import looks_sensitive
from viridian_import.messages import Column
from viridian_import.sample.table import Table
from viridian_serving.codec.tensors import Kind

_FEW: Final = 30
"""Different strings up to which they are categories, and no texts or names."""


def typical_row(table: Table) -> dict[str, Any]:
    """Return a row whose values are each the median, or the most frequent one, of its column."""
    return {column.name: typical(column) for column in table.columns}


def typical(column: Column) -> Any:  # noqa: ANN401  a value of the column's kind
    """Return the value in the middle of a column; of a sensitive one with many different strings, none of its own."""
    values = [value for value in column.values if value is not None]
    if not values:
        return None
    if column.kind in (Kind.NUMBER, Kind.INTEGER):
        return median_low(values)
    if column.kind is Kind.STRING and looks_sensitive(column.name) and not categories_of(column):
        return "text"
    return Counter(values).most_common(1)[0][0]


def categories_of(column: Column) -> list[str]:
    """Return the different strings of a column; none where they are too many to be categories, or no strings."""
    if column.kind is not Kind.STRING:
        return []
    found = Counter(value for value in column.values if value is not None)
    repeated = sum(found.values()) >= 2 * len(found)
    return sorted(found) if len(found) <= _FEW and repeated else []
