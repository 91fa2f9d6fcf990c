"""docs/evidence/imported.md, from what `make bench-import` has found."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[3]
RESULT: Final = ROOT / "build" / "bench-import.json"
PAGE: Final = ROOT / "docs" / "evidence" / "imported.md"
_COLUMNS: Final = ("model", "kind", "result", "largest difference", "original, µs", "ONNX, µs", "int8, µs", "MiB")
_HEAD: Final = """\
# Models imported

`make bench-import` imports every model below with [`viridian import`](../guides/import.md), serves it with a real
Triton, and asks its golden requests: `/predict` answers as the model's own library does, or the import is refused
with a sentence that names a way out. It writes this page and `build/bench-import.json`. To repeat some models, name
words from their names: `make bench-import MODELS=xgboost,forest`.

*Largest difference* is between the original's numbers and those of ONNX Runtime; labels are equal in every row. The
times are of a call with one row, by one thread, beside whatever else the machine did: compare the two of a row, and
rely on neither. Models without figures are served by their own library.

"""

Row = Mapping[str, Any]


def page(rows: Sequence[Row]) -> str:
    """Return the page.

    Args:
        rows: As in build/bench-import.json.
    """
    lines = [f"| {' | '.join(_COLUMNS)} |", f"|{'---|' * len(_COLUMNS)}", *map(_line, rows)]
    return f"{_HEAD}{summary(rows)}\n\n" + "\n".join(lines) + "\n"


def summary(rows: Sequence[Row]) -> str:
    """Count them, in a sentence."""
    equal = sum(row["result"] == "equal" for row in rows)
    refused = sum(row["kind"] == "refused" and row["result"].startswith("refused: ") for row in rows)
    wrong = f"; {len(rows) - equal - refused} wrong" if equal + refused < len(rows) else ""
    return f"{len(rows)} models: {equal} equal to the original; {refused} refused with a way out{wrong}."


def _line(row: Row) -> str:
    # Paths of the run say nothing to a reader, and a bar would end the cell.
    result = re.sub(r"\s+", " ", row["result"]).replace("|", "\\|")
    cells = (
        row["artifact"],
        row["kind"],
        result,
        _number(row["max_difference"], ".1g"),
        *(_number(row[name], ",.0f") for name in ("native_us", "onnx_us", "int8_us")),
        _number(row["size_mib"], ".3g"),
    )
    return f"| {' | '.join(cells)} |"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RESULT.read_text())["rows"]))
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}\n")
