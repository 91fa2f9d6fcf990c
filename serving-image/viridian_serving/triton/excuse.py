"""A word from the API to the triton container, on the volume that both have: a request may have ended Triton.

Only the API knows that one ran. The container then ends with its own code, by which the operator does not count it
against the model.
"""

import time
from pathlib import Path
from typing import Final

from viridian_serving.settings import flag_file

_FILE: Final = "ended-under-a-request"
_FRESH: Final = 5.0
"""Seconds for which the word is about the end that has just been."""
_WAIT: Final = 1.0
"""Seconds in which the API has noticed it, too."""
_POLL: Final = 0.05


def leave(run_dir: Path) -> None:
    """Say it; where that cannot be written, the end counts as the model's.

    Args:
        run_dir: The volume.
    """
    flag_file.leave(run_dir / _FILE, "Triton's end counts as the model's")


def take(run_dir: Path, longest: float = _WAIT) -> bool:
    """Wait for the word, and take it away.

    Args:
        run_dir: The volume.
        longest: Seconds to wait.

    Returns:
        Whether it was said of what ended just now.
    """
    file, until = run_dir / _FILE, time.monotonic() + longest
    while True:
        if file.exists():
            fresh = time.time() - file.stat().st_mtime < _FRESH
            file.unlink()
            return fresh
        if time.monotonic() >= until:
            return False
        time.sleep(_POLL)
