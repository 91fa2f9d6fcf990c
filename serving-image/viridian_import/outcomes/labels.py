"""Reads what was learnt later: a table with the truth, with decisions, or with values."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from viridian_import.faults import ImportFault
from viridian_import.messages import Column
from viridian_import.outcomes.predictions import Key, Label
from viridian_import.sample.reading import listed, read_table
from viridian_import.sample.table import Table
from viridian_serving.codec.tensors import Kind

INSTANCE: Final = "instance"
"""The column, where there is one, with the position of a prediction in a request of several."""


@dataclass(frozen=True)
class Columns:
    """Names of the columns; those that the table lacks are not known of any prediction."""

    by: str = "request_id"
    actual: str = "actual"
    accepted: str = "accepted"
    value: str = "value"
    token: str = "feedback_token"  # noqa: S105  the column's name

    @property
    def said(self) -> tuple[str, str, str]:
        """Those that say something of a prediction."""
        return self.actual, self.accepted, self.value


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one prediction; None is what is not."""

    actual: Label | None = None
    accepted: bool | None = None
    value: float | None = None
    token: str | None = None


@dataclass(frozen=True)
class Labels:
    """What is known, by prediction."""

    known: Mapping[Key, Known]
    by_instance: bool
    """Whether the table says which of a request's predictions it means."""


def read_labels(file: Path, columns: Columns, *, texts: bool) -> Labels:
    """Read a table.

    Args:
        file: Parquet, CSV, tab-separated, or a JSON object a line.
        columns: Their names.
        texts: Whether the model predicts texts, so that 1 in the table is the label `1`.

    Raises:
        ImportFault: It cannot be read, lacks a column, or says two things of one prediction.
    """
    names = read_table(file, {}).names
    if columns.by not in names:
        raise ImportFault(f"--by {columns.by!r} is no column of {file}; {listed(names)}")
    if not any(name in names for name in columns.said):
        wanted = ", ".join(columns.said)
        raise ImportFault(
            f"{file} has none of the columns {wanted}, so it says nothing of a prediction; name one with --actual,"
            f" --accepted or --value; {listed(names)}"
        )
    table = read_table(
        file, {columns.by: Kind.STRING, **({columns.actual: Kind.STRING} if texts and columns.actual in names else {})}
    )
    found: dict[Key, Known] = {}
    for number in range(table.rows):
        key, known = _key(table, number, columns), _known(table, number, columns, file)
        if known == Known(token=known.token):
            continue  # nothing is known yet
        if found.setdefault(key, known) != known:
            raise ImportFault(
                f"row {number + 1} of {file} says otherwise of {columns.by} {key[0]!r} than a row before it; keep one"
                f" of them, or add a column {INSTANCE!r} if the request held several predictions"
            )
    return Labels(found, INSTANCE in names)


def _key(table: Table, row: int, columns: Columns) -> Key:
    return str(table[columns.by].values[row]), int(_value(table, INSTANCE, row) or 0)


def _known(table: Table, row: int, columns: Columns, file: Path) -> Known:
    actual, accepted, value = (_value(table, name, row) for name in columns.said)
    if accepted is not None and accepted not in (0, 1):
        raise ImportFault(
            f"row {row + 1} of {file} has {accepted!r} in column {columns.accepted!r}; write true or false, or 1 or 0"
        )
    if value is not None and (isinstance(value, str | bool)):
        raise ImportFault(f"row {row + 1} of {file} has {value!r} in column {columns.value!r}; write a number")
    token = _value(table, columns.token, row)
    return Known(
        actual,
        bool(accepted) if accepted is not None else None,
        float(value) if value is not None else None,
        str(token) if token is not None else None,
    )


def _value(table: Table, name: str, row: int) -> Any:  # noqa: ANN401  a cell
    column: Column | None = next((each for each in table.columns if each.name == name), None)
    return column.values[row] if column is not None else None
