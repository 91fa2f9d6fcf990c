"""ONNX files: nothing is converted, and the original is what ONNX Runtime makes of the file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
import onnxruntime

from viridian_import.faults import ImportFault
from viridian_import.messages import Description, Layout, Load, Output, Plan, Role
from viridian_serving.artifacts.library_words import words_of
from viridian_serving.artifacts.locate import ModelError
from viridian_serving.codec.tensors import Kind
from viridian_serving.triton.onnx_model import OnnxModel, OnnxTensor, inspect, session_of

if TYPE_CHECKING:
    import pandas as pd

_DTYPES: Final = {
    "TYPE_FP16": np.float16,
    "TYPE_FP32": np.float32,
    "TYPE_FP64": np.float64,
    "TYPE_INT32": np.int32,
    "TYPE_INT64": np.int64,
    "TYPE_BOOL": np.bool_,
    "TYPE_STRING": np.object_,
}
_LABELS: Final = ("TYPE_INT32", "TYPE_INT64", "TYPE_STRING")


@dataclass(frozen=True)
class _OnnxFile:
    path: Path
    session: Any
    model: OnnxModel
    description: Description

    def answer(self, frame: "pd.DataFrame") -> dict[str, list[Any]]:
        """Answer rows; see Original."""
        answered = self.session.run([output.name for output in self.description.outputs], self._feeds(frame))
        return {
            output.name: _rows(np.asarray(array))
            for output, array in zip(self.description.outputs, answered, strict=True)
        }

    def convert(self, plan: Plan, kinds: Mapping[str, Kind], row: "pd.DataFrame", file: str) -> None:
        """Copy it; see Original."""
        del plan, kinds, row  # there is one way
        try:
            onnx.save(onnx.load(self.path), file)  # in one file, also where the weights have their own
        except ValueError as error:
            raise ImportFault(
                f"{self.path} has weights of more than 2 GB, which one ONNX file cannot hold ({words_of(error)}); "
                "serve the folder as it is: viridian-serve, docs/guides/laptop.md"
            ) from error

    def explain(self, frame: "pd.DataFrame") -> list[str]:
        """Say why rows may be answered otherwise: nothing is known; see Original."""
        del frame
        return []

    def _feeds(self, frame: "pd.DataFrame") -> dict[str, Any]:
        if self.description.layouts == [Layout.MATRIX]:
            (only,) = self.model.inputs
            return {only.name: _array(frame, only)}
        return {each.name: _array(frame[[each.name]], each) for each in self.model.inputs}


def read(request: Load) -> _OnnxFile:
    """Load an ONNX file; see reading.read()."""
    path = request.path
    file = Path(path)
    try:
        session = session_of(file)
        model = inspect(file, session)
    except ModelError as error:
        raise ImportFault(str(error)) from error
    if odd := next((each for each in model.inputs if len(each.shape) > 2 or each.triton_type not in _DTYPES), None):
        kind = odd.triton_type.removeprefix("TYPE_")
        raise ImportFault(
            f"input {odd.name!r} of {path} has shape {list(odd.shape)} and type {kind}, and a sample of rows and "
            "columns has no such values; serve the file as it is: viridian-serve, docs/guides/laptop.md"
        )
    producer = " ".join(filter(None, (_producer(file), "model")))
    return _OnnxFile(file, session, model, _description(model, producer))


def _producer(file: Path) -> str:
    model = onnx.load(str(file), load_external_data=False)
    return f"{model.producer_name} {model.producer_version}".strip()


def _description(model: OnnxModel, what: str) -> Description:
    first = model.inputs[0]
    matrix = len(model.inputs) == 1 and (len(first.shape) == 2 and first.shape[1] != 1)
    width = first.shape[1] if matrix else None
    outputs = [Output(each.name, _role(each), "run") for each in model.outputs]
    # The API finds a label first.
    outputs.sort(key=lambda output: output.role is not Role.LABEL)
    return Description(
        model=f"ONNX file, {what}",
        task="classifier" if any(each.role is Role.PROBABILITIES for each in outputs) else "model",
        outputs=outputs,
        versions={"onnxruntime": onnxruntime.__version__},
        layouts=[Layout.MATRIX if matrix else Layout.COLUMNS],
        network="",
        features=None if matrix else [each.name for each in model.inputs],
        width=None if width == -1 else width,
        convertible=False,
    )


def _role(tensor: OnnxTensor) -> Role:
    if tensor.triton_type in _LABELS:
        return Role.LABEL
    return Role.PROBABILITIES if "prob" in tensor.name.lower() and len(tensor.shape) == 2 else Role.NUMBERS


def _array(frame: "pd.DataFrame", tensor: OnnxTensor) -> Any:  # noqa: ANN401
    dtype = _DTYPES[tensor.triton_type]
    array = frame.to_numpy()
    if dtype is np.object_:
        array = np.array([["" if value != value else str(value) for value in row] for row in array], dtype=object)
    return array.astype(dtype) if len(tensor.shape) == 2 else array[:, 0].astype(dtype)


def _rows(array: Any) -> list[Any]:  # noqa: ANN401
    flat = array.reshape(len(array), -1)
    rows: list[Any] = flat[:, 0].tolist() if flat.shape[1] == 1 else flat.tolist()
    return rows
