"""`make bench-import`: models of many libraries, imported, served, and compared.

It writes build/bench-import.json and docs/evidence/imported.md.

Each is answered through /predict as its own library answers it, or refused with a sentence that helps.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from tests.bench.importing.artifacts import Artifact, artifacts
from tests.bench.importing.page import PAGE, RESULT, page
from tests.component.harness.binaries import interpreter
from tests.importing.makers import Made

from viridian_import.checks.local import check
from viridian_import.commands import importing
from viridian_import.faults import ImportFault
from viridian_import.prove.onnx_side import OnnxSide
from viridian_import.prove.quantization import to_int8
from viridian_import.prove.speed import time_of
from viridian_import.prove.study import Study


@dataclass(frozen=True)
class Row:
    """What became of one model; the times are of a call with one row."""

    artifact: str
    kind: str
    result: str
    """``equal``, ``refused: …`` with the sentence, or ``WRONG: …``."""
    max_difference: float | None = None
    label_disagreements: int | None = None
    native_us: float | None = None
    onnx_us: float | None = None
    int8_us: float | None = None
    """None where nothing in it can be of 8 bits."""
    size_mib: float | None = None

    @property
    def good(self) -> bool:
        """Whether it is equal, or was to be refused."""
        return self.result == "equal" or (self.kind == "refused" and self.result.startswith("refused: "))


def main() -> int:
    """Import them one after the other, print, write.

    Returns:
        0 when each is equal, or refused where it should be, else 1.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="?", default="", help="only those with one of these words in their names: a,b")
    words = [word.lower() for word in parser.parse_args().models.split(",") if word]
    warnings.simplefilter("ignore")
    rows: list[Row] = []
    merged: list[dict[str, object]] = []
    before = [Row(**row) for row in json.loads(RESULT.read_text())["rows"]] if words and RESULT.exists() else []
    RESULT.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-import-") as folder:
        for number, artifact in enumerate(artifacts()):
            if not words or any(word in f"{artifact.name} {artifact.kind}".lower() for word in words):
                started = time.monotonic()
                rows.append(_row(artifact, Path(folder, str(number))))
                sys.stderr.write(f"{time.monotonic() - started:5.1f} s  {rows[-1].artifact}: {rows[-1].result[:300]}\n")
                merged = [asdict(row) for row in _replaced(before, rows)]
                RESULT.write_text(json.dumps({"rows": merged}, indent=2) + "\n")
    if rows:
        PAGE.write_text(page(merged))
    bad = [row.artifact for row in rows if not row.good]
    print(summary(rows) + (f"; wrong: {', '.join(bad)}" if bad else ""))
    return 1 if bad or not rows else 0


def _replaced(before: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Put what was tried again in the place of what was found before."""
    new = {row.artifact: row for row in rows}
    return [new.pop(row.artifact, row) for row in before] + list(new.values())


def summary(rows: Sequence[Row]) -> str:
    """Count them."""
    equal = [row for row in rows if row.result == "equal"]
    times = [row.native_us / row.onnx_us for row in equal if row.native_us and row.onnx_us]
    faster = f", for one row {median(times):.0f} times as fast at the median" if times else ""
    return f"{len(rows)} models: {len(equal)} equal to the original{faster}; {len(rows) - len(equal)} refused or wrong"


def _row(artifact: Artifact, folder: Path) -> Row:
    try:
        return _imported(artifact, artifact.make(folder), folder / "out" / "v1")
    except ImportFault as fault:
        return Row(artifact.name, artifact.kind, f"refused: {fault}".replace(str(folder), ""))
    except Exception as error:  # noqa: BLE001  the others are worth trying nevertheless
        return Row(artifact.name, artifact.kind, f"WRONG: {type(error).__name__}: {error}")


def _imported(artifact: Artifact, made: Made, folder: Path) -> Row:
    parser = argparse.ArgumentParser()
    importing.add_to(parser.add_subparsers())
    arguments = ["import", str(made.model), "--sample", str(made.sample), "--out", str(folder), "--trusted"]
    arguments += ["--target", made.target] if made.target else []
    arguments += ["--python", str(interpreter("requirements/keras.txt"))] if artifact.keras else []
    if artifact.native:
        locked = folder.parents[1] / "locked.txt"
        locked.touch()  # which packages it needs is no matter here
        arguments += ["--native", "--requirements", str(locked)]
    imported = importing.import_model(parser.parse_args(arguments))
    faults = check(imported.folder, trusted=True).told
    if imported.found is None:
        return Row(artifact.name, artifact.kind, f"WRONG: {'; '.join(faults)}" if faults else "equal")
    parity, speed = imported.found.converted.parity, imported.speed[0]
    return Row(
        artifact.name,
        artifact.kind,
        "equal" if parity.faithful and not faults else f"WRONG: {'; '.join(faults)}",
        parity.largest,
        parity.disagreements,
        round(speed.original, 1),
        round(speed.onnx, 1),
        _int8(imported.folder, imported.found),
        round(os.path.getsize(folder / "model.onnx") / 2**20, 3),
    )


def _int8(folder: Path, found: Study) -> float | None:
    out = folder / "int8.onnx"
    if not to_int8(folder / "model.onnx", out):
        return None
    side = OnnxSide(out, preprocessed=found.description.preprocessed)
    return round(time_of(side, found.features.take([0]), found.converted.contract), 1)


if __name__ == "__main__":
    sys.exit(main())
