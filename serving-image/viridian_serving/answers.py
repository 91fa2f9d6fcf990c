"""From the model's outputs to the body of the answer."""

import math
from collections.abc import Sequence
from itertools import accumulate
from math import prod
from typing import Any

from viridian_serving.schema import DataType, ModelSchema, Tensor
from viridian_serving.wire import OutputTensor

_LABEL_TYPES = (DataType.INT64, DataType.INT32, DataType.BYTES)


class NotFiniteError(Exception):
    """The model answered NaN or an infinity, which JSON cannot say and nobody can use."""


class AnswerWriter:
    """Writes answers for one model."""

    def __init__(self, schema: ModelSchema) -> None:
        """Find out which outputs are the label and its probabilities.

        Args:
            schema: What the model gives.
        """
        self._names = [tensor.name for tensor in schema.outputs]
        self._classifier = _classifier(schema.outputs)

    def predictions(self, outputs: Sequence[OutputTensor], rows: int, *, batched: bool) -> list[dict[str, Any]]:
        """Write the predictions of consecutive instances.

        Args:
            outputs: What the model answered.
            rows: Number of instances.
            batched: Whether the first dimension of every output counts instances.

        Returns:
            For each instance ``prediction``, and for a classifier ``confidence`` and ``probabilities``.

        Raises:
            NotFiniteError: An output holds NaN or an infinity.
            ValueError: The outputs are not those of the schema, or have not one row for each instance.
        """
        by_name = {tensor.name: _rows(tensor, rows, batched=batched) for tensor in outputs}
        if missing := [name for name in self._names if name not in by_name]:
            raise ValueError(f"the model did not answer its output {missing[0]!r}")
        if self._classifier is not None:
            labels, probabilities = (by_name[name] for name in self._classifier)
            return [
                {"prediction": _scalar(label), "confidence": max(row), "probabilities": row}
                for label, row in zip(labels, probabilities, strict=True)
            ]
        if len(self._names) == 1:
            return [{"prediction": _scalar(value)} for value in by_name[self._names[0]]]
        return [{"prediction": {name: _scalar(by_name[name][row]) for name in self._names}} for row in range(rows)]


def _classifier(outputs: Sequence[Tensor]) -> tuple[str, str] | None:
    """Recognise a classifier: one label and one row of probabilities, whatever they are called."""
    if len(outputs) != 2:
        return None
    labels = [t.name for t in outputs if t.datatype in _LABEL_TYPES and t.dims in ((), (1,), (-1,))]
    scores = [t.name for t in outputs if t.datatype.is_float and len(t.dims) == 1 and "prob" in t.name.lower()]
    return (labels[0], scores[0]) if len(labels) == len(scores) == 1 else None


def _rows(tensor: OutputTensor, rows: int, *, batched: bool) -> list[Any]:
    if (
        tensor.datatype.is_float
        and not math.isfinite(sum(tensor.values))
        and not all(map(math.isfinite, tensor.values))
    ):
        raise NotFiniteError(tensor.name)
    shape = tensor.shape if batched else (1, *tensor.shape)
    if shape[0] != rows:
        raise ValueError(f"output {tensor.name!r} has {shape[0]} rows for {rows} instances")
    width = prod(shape[1:])
    if len(shape) == 1:
        return list(tensor.values)
    bounds = accumulate([width] * rows, initial=0)
    flat = [list(tensor.values[start : start + width]) for start, _ in zip(bounds, range(rows), strict=False)]
    return flat if len(shape) == 2 else [_nest(row, shape[1:]) for row in flat]


def _nest(flat: Sequence[Any], shape: Sequence[int]) -> list[Any]:
    if len(shape) == 1:
        return list(flat)
    width = prod(shape[1:])
    return [_nest(flat[i * width : (i + 1) * width], shape[1:]) for i in range(shape[0])]


def _scalar(value: Any) -> Any:  # noqa: ANN401  a JSON value
    return value[0] if isinstance(value, list) and len(value) == 1 else value
