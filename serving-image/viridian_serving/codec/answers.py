"""From the model's outputs to the body of the answer."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import Any

from viridian_serving.codec.oip import TensorValues, nest
from viridian_serving.codec.tensors import DataType, Tensor

_LABEL_TYPES = (DataType.INT64, DataType.INT32, DataType.BYTES)


class NotFiniteError(Exception):
    """The model answered NaN or an infinity, which JSON cannot say and nobody can use."""


Prediction = dict[str, Any]


@dataclass(frozen=True)
class AnswerSchema:
    """What the outputs are, and how much of them is answered."""

    outputs: tuple[Tensor, ...]
    prediction: str | None = None
    """The output that is the prediction. None: the most probable class, or else all outputs by name."""
    probabilities: str | None = None
    """The output with a probability for each class."""
    confidence: str | None = None
    """The output that is the confidence; None for the highest probability."""
    classes: tuple[str, ...] = ()
    """Names of the classes, in the order of the probabilities."""
    top_k: int | None = None
    """Probabilities that are answered, the highest ones."""
    decimals: int | None = None
    """To which numbers are rounded."""
    withhold: frozenset[str] = frozenset()
    """Members and outputs that are not answered."""

    @classmethod
    def recognised(cls, outputs: tuple[Tensor, ...]) -> "AnswerSchema":
        """Find out which outputs are the label and its probabilities, from the outputs alone."""
        label, probabilities = _classifier(outputs) or (outputs[0].name if len(outputs) == 1 else None, None)
        return cls(outputs, label, probabilities)

    @property
    def others(self) -> tuple[Tensor, ...]:
        """The outputs that are nothing in particular."""
        roles = {self.prediction, self.probabilities, self.confidence}
        return tuple(tensor for tensor in self.outputs if tensor.name not in roles)

    @property
    def plain(self) -> bool:
        """Whether outputs are answered as they are."""
        return self.confidence is None and not self.classes and not self.limited

    @property
    def limited(self) -> bool:
        """Whether something of the outputs is kept back."""
        return self.top_k is not None or self.decimals is not None or bool(self.withhold)

    def output(self, name: str) -> Tensor:
        """Give an output by its name."""
        return next(tensor for tensor in self.outputs if tensor.name == name)


class AnswerWriter:
    """Writes answers for one model."""

    def __init__(self, schema: AnswerSchema) -> None:
        """Prepare.

        Args:
            schema: What the outputs are.
        """
        self._schema = schema
        self._names = [tensor.name for tensor in schema.outputs]
        self._others = [tensor.name for tensor in schema.others]
        self._plain_classifier = len(self._names) == 2 and schema.plain and schema.probabilities is not None

    def predictions(self, outputs: Sequence[TensorValues], rows: int, *, batched: bool) -> list[Prediction]:
        """Write the predictions of consecutive instances.

        Args:
            outputs: What the model answered.
            rows: Number of instances.
            batched: Whether the first dimension of every output counts instances.

        Returns:
            For each instance ``prediction``, for a classifier ``confidence`` and ``probabilities``, and ``outputs``
            with what has no such meaning.

        Raises:
            NotFiniteError: An output holds NaN or an infinity.
            ValueError: The outputs are not those of the schema, or have not one row for each instance.
        """
        by_name = {tensor.name: _rows(tensor, rows, batched=batched) for tensor in outputs}
        if missing := [name for name in self._names if name not in by_name]:
            raise ValueError(f"the model did not answer its output {missing[0]!r}")
        label, scores = self._schema.prediction, self._schema.probabilities
        if self._plain_classifier and label is not None and scores is not None:
            return [
                {"prediction": _scalar(value), "confidence": max(row), "probabilities": row}
                for value, row in zip(by_name[label], by_name[scores], strict=True)
            ]
        if len(self._names) == 1 and self._schema.plain and label is not None:
            return [{"prediction": _scalar(value)} for value in by_name[label]]
        return [self._prediction({name: by_name[name][row] for name in self._names}) for row in range(rows)]

    def _prediction(self, outputs: Mapping[str, Any]) -> Prediction:
        schema = self._schema
        members: Prediction = {}
        row = outputs[schema.probabilities] if schema.probabilities is not None else None
        others = {name: _scalar(outputs[name]) for name in self._others if name not in schema.withhold}
        if schema.prediction is not None:
            members["prediction"] = self._named(_scalar(outputs[schema.prediction]))
        elif row is not None:
            members["prediction"] = self._named(row.index(max(row)))
        else:
            members["prediction"], others = others, {}
        if schema.confidence is not None:
            members["confidence"] = _scalar(outputs[schema.confidence])
        elif row is not None:
            members["confidence"] = max(row)
        if row is not None:
            members["probabilities"] = self._by_class(row)
        if others:
            members["outputs"] = others
        answered = {name: value for name, value in members.items() if name not in schema.withhold}
        return answered if schema.decimals is None else _rounded(answered, schema.decimals)

    def _named(self, label: Any) -> Any:  # noqa: ANN401  a JSON value
        classes = self._schema.classes
        if not classes or isinstance(label, str):
            return label
        if not 0 <= label < len(classes):
            raise ValueError(
                f"the model answered class {label}, and schema.yaml names {len(classes)} classes from 0 on"
            )
        return classes[label]

    def _by_class(self, row: Sequence[float]) -> Any:  # noqa: ANN401  a JSON value
        classes = self._schema.classes
        if not classes:
            return row
        if len(row) != len(classes):
            raise ValueError(
                f"the model answered {len(row)} probabilities, and schema.yaml names {len(classes)} classes"
            )
        named = zip(classes, row, strict=True)
        if self._schema.top_k is None:
            return dict(named)
        return dict(sorted(named, key=lambda pair: -pair[1])[: self._schema.top_k])


def _rounded(value: Any, decimals: int) -> Any:  # noqa: ANN401  a JSON value
    if isinstance(value, float):
        return round(value, decimals)
    if isinstance(value, dict):
        return {name: _rounded(item, decimals) for name, item in value.items()}
    return [_rounded(item, decimals) for item in value] if isinstance(value, list) else value


def _classifier(outputs: Sequence[Tensor]) -> tuple[str, str] | None:
    """Recognise a classifier: one label and one row of probabilities, whatever they are called."""
    if len(outputs) != 2:
        return None
    labels = [t.name for t in outputs if t.datatype in _LABEL_TYPES and t.dims in ((), (1,), (-1,))]
    scores = [t.name for t in outputs if t.datatype.is_float and len(t.dims) == 1 and "prob" in t.name.lower()]
    return (labels[0], scores[0]) if len(labels) == len(scores) == 1 else None


def _rows(tensor: TensorValues, rows: int, *, batched: bool) -> list[Any]:
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
    return flat if len(shape) == 2 else [nest(row, shape[1:]) for row in flat]


def _scalar(value: Any) -> Any:  # noqa: ANN401  a JSON value
    return value[0] if isinstance(value, list) and len(value) == 1 else value
