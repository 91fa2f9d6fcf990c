"""What `viridian import` was run with, and what it left behind."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str
    folder: Path


def golden(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "golden.jsonl").read_text().splitlines()]
