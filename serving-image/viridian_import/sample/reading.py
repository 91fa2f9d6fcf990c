"""Reads a sample from a file."""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from viridian_import.faults import ImportFault
from viridian_import.messages import Column
from viridian_import.sample.table import Table
from viridian_serving.codec.tensors import Kind

_PANDAS_TYPES: Final = {Kind.STRING: "str", Kind.INTEGER: "int64", Kind.NUMBER: "float64", Kind.BOOLEAN: "bool"}
ENOUGH: Final = 100
"""Rows with which ranges, categories and the comparison say something of the model."""
_SUFFIXES: Final = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")
_CODE: Final = r"\s*0\d"
"""How a number never begins that a program wrote, but a code such as a postal one may."""


def read_table(file: Path, kinds: Mapping[str, Kind]) -> Table:
    """Read a sample as pandas reads it.

    Args:
        file: CSV (also compressed), tab-separated, Parquet, or a JSON object a line.
        kinds: Of columns that are to be read as something else than what they look like.

    Returns:
        Its columns.

    Raises:
        ImportFault: It is missing, cannot be read, or has no rows.
    """
    if not file.is_file():
        raise ImportFault(f"there is no file {file}; name a CSV with rows like those the model was trained with")
    frame = _frame(file, {name: _PANDAS_TYPES[kind] for name, kind in kinds.items()})
    names = [str(name) for name in frame.columns]
    if unknown := [name for name in kinds if name not in names]:
        raise ImportFault(f"--dtype names {unknown[0]!r}, which is no column of {file}; {listed(names)}")
    if frame.empty:
        raise ImportFault(f"{file} has no rows; give a sample of those the model was trained with, {ENOUGH} or more")
    return Table(tuple(_column(file, str(name), frame[name]) for name in frame.columns))


def codes_read_as_numbers(file: Path, sample: Table, kinds: Collection[str]) -> dict[str, str]:
    """Find columns of a CSV that pandas reads as numbers, although a value begins with 0, as a code does and no number.

    Args:
        file: The sample.
        sample: What read_table() has read of it.
        kinds: Columns that a kind was given for: these are meant as they are.

    Returns:
        The first such value of each such column.
    """
    if _suffix(file) not in (".csv", ".tsv"):
        return {}
    of_numbers = (each for each in sample.columns if each.kind in (Kind.INTEGER, Kind.NUMBER))
    numbers = [each.name for each in of_numbers if each.name not in kinds]
    texts = _frame(file, dict.fromkeys(numbers, "str"))
    begins_with_0 = {name: texts[name][texts[name].str.match(_CODE, na=False)] for name in numbers}
    return {name: str(found.iloc[0]) for name, found in begins_with_0.items() if len(found)}


def listed(names: Sequence[str], most: int = 30) -> str:
    """Return the columns of a sample as the end of a sentence."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"its columns are {', '.join(names[:most])}{more}"


def _frame(file: Path, types: Mapping[str, str]) -> Any:  # noqa: ANN401  pandas has no types here
    import pandas as pd

    suffix = _suffix(file)
    try:
        if suffix == ".parquet":
            return pd.read_parquet(file).astype(types)
        if suffix in (".jsonl", ".ndjson"):
            return pd.read_json(file, lines=True, dtype=dict(types) or None)
        return pd.read_csv(file, dtype=dict(types), sep="\t" if suffix == ".tsv" else ",")
    except ImportError:
        raise ImportFault(f"{file} needs pyarrow to be read: pip install pyarrow, or give the sample as CSV") from None
    except (ValueError, KeyError, OSError) as error:  # what pandas raises is one of these
        words = " ".join(str(error).split())
        raise ImportFault(f"{file} cannot be read as a table ({words}); correct it, or write it as CSV") from None


def _suffix(file: Path) -> str:
    return next((each for each in reversed(file.suffixes) if each in _SUFFIXES), ".csv")


def _column(file: Path, name: str, series: Any) -> Column:  # noqa: ANN401
    import pandas.api.types as types

    values = [None if _missing(value) else value for value in series.tolist()]
    present = [value for value in values if value is not None]
    if types.is_bool_dtype(series.dtype) or (present and all(isinstance(value, bool) for value in present)):
        return Column(name, Kind.BOOLEAN, values)
    if types.is_integer_dtype(series.dtype) and len(present) == len(values):
        return Column(name, Kind.INTEGER, values)
    if types.is_numeric_dtype(series.dtype):
        return Column(name, Kind.NUMBER, [None if value is None else float(value) for value in values])
    if types.is_datetime64_any_dtype(series.dtype):  # as a CSV has them
        return Column(name, Kind.STRING, [None if value is None else value.isoformat() for value in values])
    if all(isinstance(value, str) for value in present):
        return Column(name, Kind.STRING, values)
    odd = next(value for value in present if not isinstance(value, str))
    raise ImportFault(
        f"column {name!r} of {file} holds values of several types, such as {odd!r}; write it with one, or say "
        f"--dtype {name}=string"
    )


def _missing(value: object) -> bool:
    # pandas has four ways to say that a value is missing; each is unequal to itself, or None, or has this name.
    return value is None or (isinstance(value, float) and math.isnan(value)) or type(value).__name__ in _NO_VALUE


_NO_VALUE: Final = ("NAType", "NaTType")
