"""Reads a table from a file."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from viridian_import.faults import ImportFault
from viridian_import.messages import Column
from viridian_import.sample.files import SEPARATED, form_of, frame_of_file, no_rows
from viridian_import.sample.table import Table
from viridian_serving.codec.tensors import Kind

_CODE: Final = r"\s*0\d"
"""How a number never begins that a program wrote, but a code such as a postal one may."""
_BOOLEANS: Final = {
    **dict.fromkeys(("true", "yes", "1", "1.0"), True),
    **dict.fromkeys(("false", "no", "0", "0.0"), False),
}
_MOST: Final = 2**63
"""Whole numbers below it, and from its negative on, have 64 bits."""


def read_table(file: Path, kinds: Mapping[str, Kind], option: str | None = None) -> Table:
    """Read a table as pandas reads it.

    Args:
        file: CSV (also compressed), tab-separated, Parquet, or a JSON object a line.
        kinds: Of columns that are to be read as something else than what they look like.
        option: That of the command which sets kinds, if it has one.

    Returns:
        Its columns.

    Raises:
        ImportFault: It is missing, cannot be read, or has no rows.
    """
    frame = frame_of_file(file, [name for name, kind in kinds.items() if kind is Kind.STRING])
    names = [str(name) for name in frame.columns]
    if unknown := [name for name in kinds if name not in names]:
        raise ImportFault(f"{option} names {unknown[0]!r}, which is no column of {file}; {listed(names)}")
    if frame.empty:
        raise no_rows(file)
    return Table(
        tuple(
            _column(file, name, frame[label], kinds.get(name), option)
            for name, label in zip(names, frame.columns, strict=True)
        )
    )


def codes_read_as_numbers(file: Path, sample: Table, kinds: Collection[str]) -> dict[str, str]:
    """Find columns of a CSV that pandas reads as numbers, although a value begins with 0, as a code does and no number.

    Args:
        file: The sample.
        sample: What read_table() has read of it.
        kinds: Columns that a kind was given for: these are meant as they are.

    Returns:
        The first such value of each such column.
    """
    if form_of(file) not in SEPARATED:
        return {}
    of_numbers = (each for each in sample.columns if each.kind in (Kind.INTEGER, Kind.NUMBER))
    numbers = [each.name for each in of_numbers if each.name not in kinds]
    texts = frame_of_file(file, numbers)
    begins_with_0 = {name: texts[name][texts[name].str.match(_CODE, na=False)] for name in numbers}
    return {name: str(found.iloc[0]) for name, found in begins_with_0.items() if len(found)}


def check_target(target: str | None, sample: Table) -> None:
    """Check that the column which the model predicts is there.

    Raises:
        ImportFault: It is named, and is not.
    """
    if target is not None and target not in sample.names:
        raise ImportFault(f"--target {target!r} is no column of the sample; {listed(sample.names)}")


def listed(names: Sequence[str], most: int = 30) -> str:
    """Return the columns of a sample as the end of a sentence."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"its columns are {', '.join(names[:most])}{more}"


def _column(file: Path, name: str, series: Any, kind: Kind | None, option: str | None) -> Column:  # noqa: ANN401
    values = [None if _missing(value) else _plain(value) for value in series.tolist()]
    if kind is None:
        kind = _kind(file, name, [value for value in values if value is not None], series, option)
    convert = _CONVERT[kind]
    made: list[Any] = []
    try:
        made.extend(None if value is None else convert(value) for value in values)
    except (ValueError, KeyError):
        row = len(made)  # those before it are there
        raise ImportFault(
            f"row {row + 1} of {file} holds {values[row]!r} in column {name!r}, which is not {kind.one}; correct that "
            "cell"
        ) from None
    return Column(name, kind, made)


def _kind(file: Path, name: str, present: Sequence[Any], series: Any, option: str | None) -> Kind:  # noqa: ANN401
    """What a column looks like."""
    import pandas.api.types as types

    if types.is_bool_dtype(series.dtype) or (present and all(isinstance(value, bool) for value in present)):
        return Kind.BOOLEAN
    whole = all(type(value) is int for value in present)
    if whole and present and not -_MOST <= min(present) <= max(present) < _MOST:
        raise ImportFault(
            f"column {name!r} of {file} holds whole numbers of more than 64 bits, such as {max(present, key=abs)}; "
            f"leave it out if it is an id{_as_text(name, option)}"
        )
    if types.is_integer_dtype(series.dtype) and len(present) == len(series):
        return Kind.INTEGER
    if types.is_numeric_dtype(series.dtype) or (present and all(type(value) in (int, float) for value in present)):
        return Kind.NUMBER
    if types.is_datetime64_any_dtype(series.dtype) or all(isinstance(value, str) for value in present):
        return Kind.STRING
    odd = next(value for value in present if not isinstance(value, str))
    if not isinstance(odd, str | int | float | bool):
        raise ImportFault(
            f"column {name!r} of {file} holds lists or objects, such as {str(odd)[:40]}; give each of their values a "
            "separate column, or leave the column out"
        )
    other = next(value for value in present if type(value) is not type(odd))
    raise ImportFault(
        f"column {name!r} of {file} holds values of several types, such as {odd!r} and {other!r}; write it with one"
        f"{_as_text(name, option)}"
    )


def _as_text(name: str, option: str | None) -> str:
    return f", or read it as text: {option} {name}=string" if option else ""


def _plain(value: Any) -> Any:  # noqa: ANN401
    """A value of Parquet as a CSV has it."""
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date | time) else value


def _number(value: Any) -> float:  # noqa: ANN401
    number = float(value)
    if math.isinf(number):
        raise ValueError("no request can hold it")
    return number


def _integer(value: Any) -> int:  # noqa: ANN401
    whole = int(value)
    if isinstance(value, float) and whole != value:
        raise ValueError("it has a fraction")
    return whole


def _string(value: Any) -> str:  # noqa: ANN401
    # Times as a CSV has them.
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


_CONVERT: Final[Mapping[Kind, Callable[[Any], Any]]] = {
    Kind.STRING: _string,
    Kind.NUMBER: _number,
    Kind.INTEGER: _integer,
    Kind.BOOLEAN: lambda value: _BOOLEANS[str(value).strip().lower()],
}


def _missing(value: object) -> bool:
    # pandas has four ways to say that a value is missing; each is unequal to itself, or None, or has this name.
    return value is None or (isinstance(value, float) and math.isnan(value)) or type(value).__name__ in _NO_VALUE


_NO_VALUE: Final = ("NAType", "NaTType")
