"""A table as the columns of a sample, and what is changed in it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from viridian_import.messages import Column


@dataclass(frozen=True)
class Table:
    """Columns of equal length."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """Names of the columns, in their order."""
        return [column.name for column in self.columns]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.columns[0].values) if self.columns else 0

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def select(self, names: Iterable[str]) -> "Table":
        """Return these columns, in this order."""
        return Table(tuple(self[name] for name in names))

    def take(self, rows: Sequence[int]) -> "Table":
        """Return these rows, in this order."""
        return Table(tuple(Column(each.name, each.kind, [each.values[i] for i in rows]) for each in self.columns))

    def row(self, index: int) -> dict[str, Any]:
        """Return a row by the names of its columns."""
        return {column.name: column.values[index] for column in self.columns}

    def with_rows(self, rows: Sequence[Mapping[str, Any]]) -> "Table":
        """Return the table with more rows at its end."""
        return Table(
            tuple(
                Column(each.name, each.kind, [*each.values, *(row[each.name] for row in rows)]) for each in self.columns
            )
        )
