"""A word from the API to the triton container, on the volume that both have: Triton is of no use any more.

Triton that gave up the model's process says that it is ready, and the next request ends it or never comes back. Only
the API has seen the answer that tells it.
"""

from pathlib import Path
from typing import Final

from viridian_serving.settings import flag_file

_FILE: Final = "to-be-replaced"


def ask_for(run_dir: Path) -> None:
    """Say it; where that cannot be written, the next request will end Triton.

    Args:
        run_dir: The volume.
    """
    flag_file.leave(run_dir / _FILE, "Triton is not stopped")


def is_asked_for(run_dir: Path) -> bool:
    """Return whether it was said, and take the word away.

    Args:
        run_dir: The volume.
    """
    try:
        (run_dir / _FILE).unlink()
    except FileNotFoundError:
        return False
    return True
