"""All that is found out about an ONNX file before it is served: what it declares, and what it does when it is run.

It is run in a separate process, as ``python -m viridian_serving.triton.onnx_examination FILE THREADS``, so that a
model that crashes or hangs there ends nothing else, and leaves none of its memory behind.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.artifacts.sample_file import read_sample
from viridian_serving.codec.features import RequestSchema
from viridian_serving.codec.instances import InstanceReader
from viridian_serving.codec.oip import Encoded, TensorValues
from viridian_serving.codec.tensors import Batch, DataType, ModelSchema, SchemaError, Tensor
from viridian_serving.contract.binding import PREPROCESS_FILE, bind
from viridian_serving.contract.schema_file import SchemaFile, read_schema_file
from viridian_serving.http1.problems import Problem
from viridian_serving.triton.batching import DTYPES, Feed, examine
from viridian_serving.triton.examination import Examined
from viridian_serving.triton.onnx_model import OnnxModel, OnnxTensor, inspect, session_of

_MOST_SAMPLES: Final = 1000


def main(arguments: Sequence[str]) -> int:
    """Look at a file, and print what was found as JSON.

    Args:
        arguments: The file, and the threads of one inference.

    Returns:
        The exit code: 0, also when the model cannot be served.
    """
    file, threads = arguments
    try:
        found = Examined(examined(Path(file), int(threads)))
    except ModelError as error:
        found = Examined(None, str(error))
    sys.stdout.buffer.write(msgspec.json.encode(found))
    return 0


def examined(file: Path, threads: int = 1) -> OnnxModel:
    """Look at an ONNX file, and run it.

    Args:
        file: The ONNX file; what lies beside it is read too.
        threads: Threads of one inference.

    Returns:
        What it takes and gives, and whether requests may be joined.

    Raises:
        ModelError: It cannot be served.
    """
    session = session_of(file, threads)
    model = inspect(file, session)
    declared = _declared(file.parent)
    wanted = declared.batch if declared is not None else None
    if wanted in (Batch.JOINED, Batch.SINGLE) and not model.open_rows:
        fixed = next(tensor for tensor in model.inputs if tensor.shape[:1] != (-1,))
        raise ModelError(
            f"schema.yaml says batch: {wanted}, and the first dimension of input {fixed.name!r} of {file} is not open; "
            "export it with an open one, or leave batch out"
        )
    samples, whole = _samples(file.parent, model, declared)
    if whole and wanted is None:
        return examine(model, session, samples, Batch.NONE, "sample.json has the first dimension in an instance")
    return examine(model, session, samples, wanted, f"schema.yaml says batch: {wanted}")


def _declared(home: Path) -> SchemaFile | None:
    try:
        return read_schema_file(home)
    except SchemaError:
        return None  # the API's container says so, and ends the start


def _samples(home: Path, model: OnnxModel, declared: SchemaFile | None) -> tuple[list[Feed], bool]:
    """Read sample.json as inputs of the model, and tell whether an instance in it has the first dimension itself."""
    body = read_sample(home)
    if body is None or (home / PREPROCESS_FILE).exists():
        return [], False
    for whole in (False, True) if model.open_rows else (True,):
        schema = _schema(model, whole=whole)
        try:
            requests = RequestSchema.of(schema) if declared is None else bind(declared, schema).requests
            read = InstanceReader(requests, _MOST_SAMPLES).read(body)
        except (Problem, SchemaError):
            continue  # the API's container says so
        return [
            feed for each in read.encoded for feed in _feeds(model, schema, each, whole=whole)
        ], whole and model.open_rows
    return [], False


def _schema(model: OnnxModel, *, whole: bool) -> ModelSchema:
    def tensors(declared: Sequence[OnnxTensor]) -> tuple[Tensor, ...]:
        return tuple(
            Tensor(each.name, _datatype(each), each.shape if whole else each.shape[1:] or (1,)) for each in declared
        )

    return ModelSchema(tensors(model.inputs), tensors(model.outputs), 0 if whole else _MOST_SAMPLES)


def _datatype(tensor: OnnxTensor) -> DataType:
    name = tensor.triton_type.removeprefix("TYPE_")
    return DataType["BYTES" if name == "STRING" else name]


def _feeds(model: OnnxModel, schema: ModelSchema, encoded: Encoded, *, whole: bool) -> list[Feed]:
    """Make arrays of what the API would send, one instance each."""
    arrays: Feed = {}
    for tensor, declared, shape, raw in zip(schema.inputs, model.inputs, encoded.shapes, encoded.tensors, strict=True):
        values = TensorValues.read(tensor.name, tensor.datatype.name, shape, raw).values
        own = shape if whole else (encoded.rows, *(shape if len(declared.shape) > 1 else ()))
        arrays[tensor.name] = np.array(values, dtype=DTYPES[declared.triton_type]).reshape(own)
    if whole:
        return [arrays]
    return [{name: array[row : row + 1] for name, array in arrays.items()} for row in range(encoded.rows)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
