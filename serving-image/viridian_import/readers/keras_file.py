"""Keras (.keras, .h5) and SavedModel, which take rows of numbers; tensorflow is in a Python of the user's own."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import onnx

from viridian_import.convert.estimator import MATRIX
from viridian_import.convert.graph import unknown_operators, with_inputs, with_outputs, without_erfc
from viridian_import.faults import ImportFault
from viridian_import.messages import Description, Layout, Load, Output, Plan, Role
from viridian_import.pipe import EndedError, exchange
from viridian_import.readers import tensorflow_program
from viridian_serving.codec.tensors import Kind

if TYPE_CHECKING:
    import pandas as pd

_OPSET: Final = 18
_QUIET: Final = {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}


class _Refusal(Exception):
    """The other process cannot do it; the text says why."""


class _Program:
    """The process that holds the model."""

    def __init__(self, python: str) -> None:
        self._python = python
        environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"} | _QUIET
        self._printed = Path(os.environ.get("TMPDIR", "/tmp"), "tensorflow.txt")  # noqa: S108  that of this process
        with self._printed.open("wb") as printed:
            self._process = subprocess.Popen(  # noqa: S603  the user named it
                (python, "-I", tensorflow_program.__file__),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=printed,
                env=environment,
            )

    def ask(self, **request: object) -> Any:  # noqa: ANN401
        """Return what was made.

        Raises:
            _Refusal: Nothing was.
            ImportFault: The process ended, or has no tensorflow.
        """
        try:
            line = exchange(self._process, json.dumps(request).encode(), self._printed)
        except EndedError as error:
            raise ImportFault(
                f"{self._python} ended {error.how} before it had answered; name a Python with tensorflow and tf2onnx "
                f"by --python{error.said}"
            ) from None
        reply = json.loads(line)
        if "missing" in reply:
            raise ImportFault(
                f"{self._python} has no module {reply['missing']!r}, by which models of Keras are converted; "
                f"{self._python} -m pip install tensorflow-cpu tf2onnx, or name another Python with --python"
            )
        if "made" not in reply:
            raise _Refusal(reply.get("refused") or reply["failed"])
        return reply["made"]


@dataclass(frozen=True)
class _KerasFile:
    path: str
    program: _Program
    description: Description

    def answer(self, frame: "pd.DataFrame") -> dict[str, list[Any]]:
        """Answer rows; see Original."""
        return {"prediction": self.program.ask(rows=frame.to_numpy().astype("float32").tolist())}

    def convert(self, plan: Plan, kinds: Mapping[str, Kind], row: "pd.DataFrame", file: str) -> None:
        """Write it as ONNX; see Original."""
        del kinds, row
        if plan.double or plan.integers:
            raise ImportFault("models of Keras are converted to float32 only")
        try:
            self.program.ask(convert=file, opset=_OPSET)
        except _Refusal as refusal:
            raise self._unconverted(str(refusal)) from None
        model = without_erfc(with_outputs(with_inputs(onnx.load(file), [MATRIX]), ["prediction"]))
        if unknown := unknown_operators(model):
            raise self._unconverted(f"it has no converter for {', '.join(unknown)}")
        onnx.save(model, file)

    def _unconverted(self, why: str) -> ImportFault:
        return ImportFault(
            f"{self.path} cannot be converted by tf2onnx ({why}); make that part of the model of other layers or "
            "functions, or move it into preprocess.py beside the model (docs/reference/schema.md)"
        )

    def explain(self, frame: "pd.DataFrame") -> list[str]:
        """Say why rows may be answered otherwise: nothing is known; see Original."""
        del frame
        return []


def read(request: Load) -> _KerasFile:
    """Load a model of Keras, or a SavedModel; see reading.read()."""
    try:
        program = _Program(request.python)
    except OSError as error:
        raise ImportFault(
            f"--python {request.python} cannot be run ({error.strerror}); name the program of a Python that has "
            "tensorflow and tf2onnx"
        ) from None
    try:
        told = program.ask(load=request.path)
    except _Refusal as refusal:
        raise ImportFault(
            f"{request.path} cannot be imported by tensorflow: {refusal}. If another version of Keras made it, name a "
            "Python with that one by --python; what takes no rows of numbers is converted by "
            "python -m tf2onnx.convert --saved-model FOLDER --output model.onnx, and served as it is: viridian-serve"
        ) from None
    return _KerasFile(
        request.path,
        program,
        Description(
            model=told["model"],
            task="model",
            outputs=[Output("prediction", Role.NUMBERS, "call")],
            versions=told["versions"],
            layouts=[Layout.MATRIX],
            network="",
            width=told["width"],
            notices=["the times of the original have in them what it takes to hand rows to the Python of --python"],
        ),
    )
