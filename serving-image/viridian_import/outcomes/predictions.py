"""Reads the prediction log: what was predicted, by which version, when, and for which request."""

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from viridian_import.faults import ImportFault
from viridian_import.sample.reading import listed, read_table
from viridian_serving.codec.tensors import Kind
from viridian_shared.counts.via import USERLESS, Via

_TABLES: Final = (".parquet", ".csv", ".tsv")
_NEEDED: Final = ("version", "prediction")
_UNKNOWN: Final = float("-inf")

Label = str | int | float | bool
Key = tuple[str, int]
"""Which prediction: the value that the labels are joined by, and the position in a request of several."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One prediction that a user got."""

    key: Key
    version: str
    label: Label
    confidence: float | None
    via: str
    time: float
    """Seconds since the epoch."""
    namespace: str = ""
    model: str = ""
    revision: str = ""


@dataclass(frozen=True)
class Log:
    """A prediction log.

    Attributes:
        predictions: Of users, in the order of the log, each once.
        others: Records of requests that no user waited for, or that have no single label or number.
        unreadable: Lines that are no records.
    """

    predictions: tuple[Prediction, ...]
    others: int
    unreadable: int


def read_log(file: Path, by: str) -> Log:
    """Read a prediction log.

    Args:
        file: JSON lines as `serving.log` writes them, also compressed with gzip or with something before each record;
            or a table (Parquet, CSV) with columns `version` and `prediction`, and `by`.
        by: The member of a record, or of its inputs, that labels are joined by.

    Returns:
        What users were answered.

    Raises:
        ImportFault: It is missing, cannot be read, or holds no prediction.
    """
    if not file.is_file():
        raise ImportFault(f"there is no file {file}; name the prediction log with --predictions")
    unreadable = 0
    found: dict[tuple[Key, str], Prediction] = {}
    others = 0
    for record in _table(file, by) if file.suffix in _TABLES else _lines(file):
        if record is None:
            unreadable += 1
            continue
        prediction = _prediction(record, by)
        if prediction is None:
            others += 1
        else:  # the record of a copy to a candidate repeats stable's own
            found.setdefault((prediction.key, prediction.revision), prediction)
    if not found:
        raise ImportFault(
            f"{file} holds no prediction of a user with {by!r}: {others} other record(s), {unreadable} line(s) that are"
            " no records; give what spec.serving.log writes, or another member with --by"
        )
    return Log(tuple(found.values()), others, unreadable)


def _lines(file: Path) -> Iterator[Mapping[str, Any] | None]:
    try:
        with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
            for line in lines:
                if line.strip():
                    yield _record(line)
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise ImportFault(f"{file} cannot be read ({error}); give the log as JSON lines") from None


def _record(line: str) -> Mapping[str, Any] | None:
    """Read a record, with whatever `kubectl logs --prefix` and others put before it."""
    try:
        record = json.loads(line[max(0, line.find("{")) :])
    except ValueError:
        return None
    return record if isinstance(record, dict) and "request_id" in record and "version" in record else None


def _table(file: Path, by: str) -> Iterator[Mapping[str, Any]]:
    table = read_table(file, {})
    if missing := [name for name in (by, *_NEEDED) if name not in table.names]:
        raise ImportFault(f"{file} has no column {missing[0]!r}; {listed(table.names)}")
    if table[by].kind is not Kind.STRING:  # 007 is not 7
        table = read_table(file, {by: Kind.STRING})
    return (table.row(number) for number in range(table.rows))


def _prediction(record: Mapping[str, Any], by: str) -> Prediction | None:
    outputs, inputs = record.get("outputs"), record.get("inputs")
    outputs = outputs if isinstance(outputs, dict) else record
    key = record.get(by, inputs.get(by) if isinstance(inputs, dict) else None)
    label, via = outputs.get("prediction"), str(record.get("via") or Via.DIRECT)
    if not isinstance(label, str | int | float) or key is None or via in USERLESS:
        return None
    confidence = record.get("confidence")
    return Prediction(
        (str(key), int(record.get("instance") or 0)),
        str(record["version"]),
        label,
        float(confidence) if isinstance(confidence, int | float) else None,
        via,
        _time(record.get("time")),
        *(str(record.get(name) or "") for name in ("namespace", "model", "revision")),
    )


def _time(value: object) -> float:
    """Return seconds since the epoch, of a text or a time; times that are not known are before all others."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return _UNKNOWN
    if not isinstance(value, datetime):
        return _UNKNOWN
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
