"""Has a model examined in another process; see ``onnx_examination.py`` and ``native_examination.py``."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Final

import msgspec

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.triton.onnx_model import OnnxModel

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
    way_out = "export it again, or put an input that it takes into sample.json"
    found = msgspec.json.decode(_apart("onnx_examination", file, str(threads), "ONNX Runtime", way_out), type=Examined)
    if found.model is None:
        raise ModelError(found.fault)
    return found.model


def load_apart(folder: Path, form: str) -> None:
    """Load a native model, to find out whether it can be.

    Args:
        folder: Of the model, with native.json.
        form: Its format.

    Raises:
        ModelError: It cannot be served.
    """
    way_out = "build the serving image with the model's own requirements.txt"
    fault = msgspec.json.decode(_apart("native_examination", folder, form, "its library", way_out), type=str)
    if fault:
        raise ModelError(fault)


def _apart(module: str, path: Path, argument: str, runs: str, way_out: str) -> bytes:
    command = [sys.executable, "-P", "-m", f"viridian_serving.triton.{module}", str(path), argument]
    try:
        done = subprocess.run(  # noqa: S603  our own program
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=_LOADING
        )
    except subprocess.TimeoutExpired:
        raise ModelError(f"{path} was not loaded and tried within {_LOADING:g} s; export a smaller one") from None
    if done.returncode < 0:
        signal = Signals(-done.returncode).name
        raise ModelError(f"{path} crashes {runs} ({signal}) when it is loaded or tried; {way_out}")
    if done.returncode:
        raise ModelError(f"{path} could not be looked at; the lines above say why")
    return done.stdout
