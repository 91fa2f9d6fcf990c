"""The ONNX file, asked with the rows of a table by way of the contract that a pod would have."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from viridian_import.faults import ImportFault
from viridian_import.messages import Answers, Column
from viridian_import.sample.table import Table
from viridian_serving.artifacts.library_words import words_of
from viridian_serving.artifacts.locate import ModelError
from viridian_serving.codec.features import Slot
from viridian_serving.codec.instances import InstanceReader
from viridian_serving.codec.tensors import DataType, ModelSchema, Tensor
from viridian_serving.contract.binding import PREPROCESS_FILE
from viridian_serving.contract.contract import Contract
from viridian_serving.http1.problems import Violation
from viridian_serving.inference.preprocess_worker import Function, load
from viridian_serving.triton.onnx_model import OnnxModel, OnnxTensor, inspect, session_of

Array = NDArray[Any]
MOST_INSTANCES: Final = 128
_DTYPES: Final = {
    DataType.BOOL: np.bool_,
    DataType.FP16: np.float16,
    DataType.FP32: np.float32,
    DataType.FP64: np.float64,
    DataType.INT64: np.int64,
    DataType.INT32: np.int32,
    DataType.BYTES: np.object_,
}


class OnnxSide:
    """A session with the file."""

    def __init__(self, file: Path, *, preprocessed: bool = False) -> None:
        """Load it.

        Args:
            file: The ONNX file.
            preprocessed: Whether preprocess.py beside it makes its inputs of the features.

        Raises:
            ImportFault: ONNX Runtime cannot load it, or nothing that it takes or gives can be served.
        """
        try:
            self._session = session_of(file)
            self.schema = model_schema(inspect(file, self._session))
        except ModelError as error:
            raise ImportFault(str(error)) from error
        self.preprocess = load(file.with_name(PREPROCESS_FILE)) if preprocessed else None

    def answer(self, table: Table, contract: Contract, *, apart: bool = False) -> Answers:
        """Answer rows.

        Args:
            table: The rows. Where ONNX Runtime fails, halves of them are tried, until those that it fails are found.
            contract: Which feature goes where.
            apart: Whether each row has its own call.

        Returns:
            What it answered.
        """
        names = [tensor.name for tensor in self.schema.outputs]
        if self.preprocess is not None:
            return self._answer_each(table, names, self.preprocess)
        feeds = feeds_of(table, contract)
        values: dict[str, list[Any]] = {name: [None] * table.rows for name in names}
        refused: dict[int, str] = {}
        parts = [(row, row + 1) for row in range(table.rows)] if apart else [(0, table.rows)]
        while parts:
            start, end = parts.pop()
            try:
                answered = self._session.run(names, {name: array[start:end] for name, array in feeds.items()})
            except Exception as error:  # noqa: BLE001  its exceptions share no base but this
                if end - start == 1:
                    refused[start] = words_of(error)
                else:
                    middle = (start + end) // 2
                    parts += [(start, middle), (middle, end)]
            else:
                for name, array in zip(names, answered, strict=True):
                    values[name][start:end] = _rows(np.asarray(array))
        return Answers(values, refused)

    def _answer_each(self, table: Table, names: list[str], preprocess: Function) -> Answers:
        values: dict[str, list[Any]] = {name: [] for name in names}
        refused: dict[int, str] = {}
        for row in range(table.rows):
            try:
                answered = self._session.run(names, self._made(preprocess(table.row(row))))
            except Exception as error:  # noqa: BLE001  those of two programs
                refused[row] = words_of(error)
                answered = [np.array([None])] * len(names)
            for name, array in zip(names, answered, strict=True):
                values[name] += _rows(np.asarray(array))
        return Answers(values, refused)

    def _made(self, inputs: Any) -> dict[str, Array]:  # noqa: ANN401  what preprocess.py gives
        """Return what preprocess.py made of a row as arrays."""
        return {each.name: np.array([inputs[each.name]], _DTYPES[each.datatype]) for each in self.schema.inputs}

    def feeds(self, table: Table, contract: Contract) -> list[dict[str, Array]]:
        """Return what answers rows in as few calls as there can be: one; with preprocess.py, one for each row."""
        if self.preprocess is None:
            return [feeds_of(table, contract)]
        return [self._made(self.preprocess(table.row(row))) for row in range(table.rows)]

    def prepared(self, table: Table, contract: Contract) -> Callable[[], object]:
        """Return a call that answers rows, for whoever takes its time."""
        feeds = self.feeds(table, contract)
        return lambda: [self._session.run(None, each) for each in feeds]


def model_schema(model: OnnxModel) -> ModelSchema:
    """Return what a model takes and gives for each instance: without its first dimension."""
    return ModelSchema(tuple(map(_tensor, model.inputs)), tuple(map(_tensor, model.outputs)), max_batch=MOST_INSTANCES)


def _tensor(declared: OnnxTensor) -> Tensor:
    name = declared.triton_type.removeprefix("TYPE_")
    datatype = DataType["BYTES" if name == "STRING" else name]
    return Tensor(declared.name, datatype, declared.shape[1:] or (1,))


def feeds_of(table: Table, contract: Contract) -> dict[str, Array]:
    """Make the model's inputs of a table.

    Args:
        table: Has a column for each feature, in their order.
        contract: Which feature goes where.

    Returns:
        An array for each input, with a row for each of the table.
    """
    return {slot.tensor.name: _array(slot, table) for slot in contract.slots}


def _array(slot: Slot, table: Table) -> Array:
    columns = [_elements(table.columns[source], slot.tensor.datatype) for source in slot.sources]
    return np.stack(columns, axis=1) if slot.row else columns[0].reshape(-1, 1)


def _elements(column: Column, datatype: DataType) -> Array:
    if datatype is DataType.BYTES:
        return np.array(["" if value is None else str(value) for value in column.values], dtype=object)
    # An input of whole numbers has no way to say that one is missing; the schema lets none in.
    missing = float("nan") if datatype.is_float else 0
    return np.array([missing if value is None else value for value in column.values]).astype(_DTYPES[datatype])


def _rows(array: Array) -> list[Any]:
    flat = array if array.ndim > 2 else array.reshape(len(array), -1)
    rows: list[Any] = flat[:, 0].tolist() if flat.shape[1:] == (1,) else flat.tolist()
    return rows


class Gate:
    """What the contract lets in."""

    def __init__(self, contract: Contract, empty: Collection[str], preprocess: Function | None = None) -> None:
        """Prepare.

        Args:
            contract: Of the model.
            empty: Features for which the empty string says that a value is missing.
            preprocess: Of preprocess.py, if there is one; it may refuse rows as well.
        """
        self._preprocess = preprocess
        self._features = contract.requests.features
        self._empty = frozenset(empty)
        self._reader = InstanceReader(contract.requests, MOST_INSTANCES)

    def instance(self, table: Table, row: int) -> dict[str, Any]:
        """Return a row as a client sends it."""
        return {
            feature.name: "" if column.values[row] is None and feature.name in self._empty else column.values[row]
            for feature, column in zip(self._features, table.columns, strict=True)
        }

    def refusal(self, table: Table, row: int) -> str | None:
        """Return why a row is not let in, or None."""
        instance = self.instance(table, row)
        _, violations = self._reader.encode(instance)
        if violations:
            return _told(violations[0])
        try:
            if self._preprocess is not None:
                self._preprocess(instance)
        except ValueError as error:
            return " ".join(map(str, error.args))
        return None


def _told(violation: Violation) -> str:
    return f"{violation.pointer.removeprefix('/')} {violation.detail}"
