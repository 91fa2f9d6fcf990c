"""Has an ONNX file examined in another process; see ``onnx_examination.py``."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Final

import msgspec

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.triton.onnx_model import OnnxModel

_COMMAND: Final = (sys.executable, "-P", "-m", "viridian_serving.triton.onnx_examination")
_LOADING: Final = 600.0
"""Seconds, beyond which nobody waits for a model to be loaded and tried."""


@dataclass(frozen=True)
class Examined:
    """What the other process says."""

    model: OnnxModel | None
    fault: str = ""
    """Why it cannot be served."""


def examine_apart(file: Path, threads: int) -> OnnxModel:
    """Look at an ONNX file, and run it.

    Args:
        file: The ONNX file; what lies beside it is read too.
        threads: Threads of one inference.

    Returns:
        What it takes and gives, and whether requests may be joined.

    Raises:
        ModelError: It cannot be served.
    """
    try:
        done = subprocess.run(  # noqa: S603  our own program
            [*_COMMAND, str(file), str(threads)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=_LOADING
        )
    except subprocess.TimeoutExpired:
        raise ModelError(f"{file} was not loaded and tried within {_LOADING:g} s; export a smaller one") from None
    if done.returncode < 0:
        raise ModelError(
            f"{file} crashes ONNX Runtime ({Signals(-done.returncode).name}) when it is loaded or tried; "
            "export it again, or put an input that it takes into sample.json"
        )
    if done.returncode:
        raise ModelError(f"{file} could not be looked at; the lines above say why")
    found = msgspec.json.decode(done.stdout, type=Examined)
    if found.model is None:
        raise ModelError(found.fault)
    return found.model
