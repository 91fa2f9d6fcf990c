"""The rows of malformed.yaml as requests."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml
from tests.serving.models import CUSTOMER


@dataclass(frozen=True)
class Malformed:
    name: str
    body: bytes | None
    query: str | None
    status: int
    kind: str
    fields: list[str] | None
    """Pointers of all errors; None where only their number matters."""
    listed: int
    more: int


def requests() -> list[Malformed]:
    rows = yaml.safe_load(Path(__file__).with_name("malformed.yaml").read_text())
    return [
        Malformed(
            row["name"],
            body,
            query,
            row.get("status", 400),
            row.get("type", "invalid-input"),
            None if "listed" in row else row.get("fields", []),
            row.get("listed", len(row.get("fields", []))),
            row.get("more", 0),
        )
        for row in rows
        for body, query in [_sent(row)]
    ]


def _sent(row: dict[str, Any]) -> tuple[bytes | None, str | None]:
    if "query" in row:
        return None, row["query"]
    if "good" in row or "twice" in row:
        values = address(_instance({}) | row.get("good", {}))
        return None, values + (f"&{row['twice']}=45" if "twice" in row else "")
    if "bytes" in row:
        return bytes.fromhex(row["bytes"]), None
    if "raw" in row:
        return written(row["raw"]).encode(), None
    return _json(row).encode("utf-8", "surrogatepass"), None


def written(parts: str | list[Any]) -> str:
    """A text as it stands, or in parts, each as it stands or as often as a number says."""
    parts = [parts] if isinstance(parts, str) else parts
    return "".join(part if isinstance(part, str) else part[0] * part[1] for part in parts)


def _json(row: dict[str, Any]) -> str:
    if "many" in row:
        return json.dumps([_instance(item) if isinstance(item, dict) else item for item in row["many"]])
    if "times" in row:
        return json.dumps([_instance(row.get("with", {}))] * row["times"])
    if "long" in row:
        return json.dumps(_instance({row["long"]: "x" * 1_000_000}))
    if "surrogate" in row:
        return json.dumps(_instance({row["surrogate"]: "\ud800"}))
    return json.dumps(_instance(row["but"]))


def _instance(changes: dict[str, Any]) -> dict[str, Any]:
    made = CUSTOMER | changes
    return {name: _null(value) for name, value in made.items() if value is not None or name not in changes}


def _null(value: Any) -> Any:
    if isinstance(value, list):
        return [_null(item) for item in value]
    return None if value == "null:" else value


def address(instance: dict[str, Any]) -> str:
    """An instance as the query of an address."""

    def texts() -> Iterator[tuple[str, str]]:
        for name, value in instance.items():
            yield name, value if isinstance(value, str) else json.dumps(value)

    return urlencode(list(texts()))
