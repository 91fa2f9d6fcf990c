"""``golden.jsonl`` beside a model: requests with the answers that it should give; ``checks.golden`` has the form."""

from pathlib import Path
from typing import Final

GOLDEN_FILE: Final = "golden.jsonl"
GOLDEN_PATH: Final = f"/{GOLDEN_FILE}"
"""Where a pod shows it to the checks of another version, and to nobody else."""
_MOST_BYTES: Final = 8 << 20
"""A larger file is not shown: it would take the memory that requests have."""


def read_golden_file(directory: Path) -> bytes | None:
    """Return what the file in a model's directory holds; None when there is none, or too large a one."""
    try:
        with (directory / GOLDEN_FILE).open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError:
        return None
    return content if len(content) <= _MOST_BYTES else None
