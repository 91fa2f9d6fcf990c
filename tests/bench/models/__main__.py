"""`make bench-models`: public models behind `viridian-serve`; docs/evidence/model-zoo.md and build/bench-models.json.

Each model is answered as ONNX Runtime answers it, alone and with others at the same time, or refused with a sentence
that names a way out.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.bench.models.compare import differing
from tests.bench.models.zoo import Entry, collect
from tests.serving.local import Local
from tests.serving.pod import ROOT

_RESULT = ROOT / "build" / "bench-models.json"
_PAGE = ROOT / "docs" / "evidence" / "model-zoo.md"
_START = 120.0
"""Seconds to start, or to say why not."""
_WAYS_OUT = ("export", "sample.json", "set model.ir_version")


@dataclass(frozen=True)
class Row:
    """What became of one model."""

    model: str
    kind: str
    started: bool
    equal: bool | None
    """To ONNX Runtime; None where it was refused."""
    joined: bool | None
    said: str
    """Why it was refused, or why its requests are not joined."""

    @property
    def good(self) -> bool:
        """Whether it is answered rightly, or refused with a way out."""
        return bool(self.equal) if self.started else any(words in self.said for words in _WAYS_OUT)


def main() -> int:
    """Serve them one after the other, print, write.

    Returns:
        0 when every model is right or refused with a way out, else 1.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="?", default="", help="only those with one of these words in their names: a,b")
    words = [word for word in parser.parse_args().models.split(",") if word]
    rows = []
    with tempfile.TemporaryDirectory(prefix="bench-models-") as folder:
        for entry in collect(Path(folder)):
            if not words or any(word in entry.name for word in words):
                rows.append(_tried(entry))
                _tell(rows[-1])
    if words and _RESULT.exists():
        rows = _replaced([Row(**row) for row in json.loads(_RESULT.read_text())["rows"]], rows)
    _RESULT.parent.mkdir(exist_ok=True)
    _RESULT.write_text(json.dumps({"rows": [asdict(row) for row in rows]}, indent=2) + "\n")
    _PAGE.write_text(page(rows))
    bad = [row.model for row in rows if not row.good]
    print(f"{len(rows)} models: {summary(rows)}" + (f"; wrong: {', '.join(bad)}" if bad else ""))
    return 1 if bad or not rows else 0


def _replaced(before: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Put what was tried again in the place of what was found before."""
    new = {row.model: row for row in rows}
    return [new.pop(row.model, row) for row in before] + list(new.values())


def _tried(entry: Entry) -> Row:
    with tempfile.TemporaryDirectory(prefix="bench-model-") as folder:
        local = Local(Path(folder), entry.file, "--name", "m")
        try:
            why = _wait(local, entry.file)
            if why:
                return Row(entry.name, entry.kind, started=False, equal=None, joined=None, said=why)
            health = _health(local.port)
            different = _differing(entry, local, health)
        finally:
            local.end()
    said = f"differs {different}" if different else health["batch"]["reason"]
    return Row(entry.name, entry.kind, started=True, equal=not different, joined=health["batch"]["joined"], said=said)


def _differing(entry: Entry, local: Local, health: dict[str, Any]) -> str:
    try:
        return differing(entry, local, health)
    except Exception as error:  # noqa: BLE001  the others are worth trying nevertheless
        return f"or breaks the comparison: {type(error).__name__}: {error}"


def _wait(local: Local, file: Path) -> str:
    """Wait until it is ready; gives what it says if it will not be."""
    deadline = time.monotonic() + _START
    while "Ctrl-C ends it." not in local.out:
        said = local.err.replace(str(file), file.name).strip()
        if local.process.poll() is not None:
            return said.splitlines()[-1] if said else "it ended without a word"
        if "With sizes and values of your own" in said:
            return next(line for line in said.splitlines() if line.startswith("Not ready"))
        if time.monotonic() > deadline:
            return f"nothing within {_START:g} s"
        time.sleep(0.05)
    return ""


def _health(port: int) -> dict[str, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/health")
    health: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return health


def _tell(row: Row) -> None:
    word = "equal" if row.equal else "refused" if row.good else "WRONG"
    print(f"{word:8} {row.model}: {'joined' if row.joined else row.said}", file=sys.stderr, flush=True)


def summary(rows: Sequence[Row]) -> str:
    """Count them."""
    equal = sum(bool(row.equal) for row in rows)
    joined = sum(bool(row.joined) for row in rows)
    refused = sum(row.good and not row.started for row in rows)
    return f"{equal} equal to ONNX Runtime, {joined} of them joined; {refused} refused with a way out"


def page(rows: Sequence[Row]) -> str:
    """Write the page of the documentation."""
    lines = [
        "# Models tried",
        "",
        "`make bench-models` serves every model below with [`viridian-serve`](../guides/laptop.md) and compares its",
        "answers with those of ONNX Runtime: over the Open Inference Protocol and over `/predict`, one request alone,",
        "and eight different ones at the same time. It writes this page and `build/bench-models.json`. To repeat some",
        "models, name words from their names: `make bench-models MODELS=lstm,silero`.",
        "",
        "*Joined* means that requests are batched.",
        "",
        f"{len(rows)} models: {summary(rows)}.",
        "",
        "| model | kind | started | equal | joined | what it says |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        words = (row.model, row.kind, _word(row.started), _word(row.equal), _word(row.joined), _cell(row.said))
        lines.append(f"| {' | '.join(words)} |")
    return "\n".join(lines) + "\n"


def _word(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
