"""What a process may ask of Linux about itself."""

import ctypes
import sys
from signal import Signals
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4


def hide() -> None:
    """Keep this process's environment and memory, in /proc, from others of the same user."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def end_with_parent(number: Signals) -> None:
    """Have this process get a signal when its parent has ended, however that ended.

    Args:
        number: The signal.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
