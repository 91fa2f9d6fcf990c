"""What the model takes and gives: names, types and shapes, without the batch dimension."""

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import cached_property
from math import prod
from typing import Any, Final

DYNAMIC = -1


class Kind(StrEnum):
    """What a value is to a person."""

    NUMBER = "number"
    INTEGER = "integer"
    STRING = "string"
    BOOLEAN = "boolean"

    @property
    def one(self) -> str:
        """What a person calls one of them."""
        return _ONE[self]


_ONE = {
    Kind.NUMBER: "a number",
    Kind.INTEGER: "a whole number",
    Kind.STRING: "a string",
    Kind.BOOLEAN: "true or false",
}


class DataType(Enum):
    """Tensor element types of the Open Inference Protocol, with the struct code of one element ('' for strings)."""

    BOOL = "?"
    UINT8 = "B"
    UINT16 = "H"
    UINT32 = "I"
    UINT64 = "Q"
    INT8 = "b"
    INT16 = "h"
    INT32 = "i"
    INT64 = "q"
    FP16 = "e"
    FP32 = "f"
    FP64 = "d"
    BYTES = ""

    is_float: bool
    """Whether elements are floating-point numbers."""
    size: int
    """Bytes of one element; 0 when it varies."""

    def __init__(self, code: str) -> None:
        # Not computed when asked: both are for every answer.
        self.is_float = code in ("e", "f", "d")
        self.size = struct.calcsize("<" + code) if code else 0

    @property
    def kind(self) -> Kind:
        """What an element is to a person."""
        if self is DataType.BYTES:
            return Kind.STRING
        if self is DataType.BOOL:
            return Kind.BOOLEAN
        return Kind.NUMBER if self.is_float else Kind.INTEGER


@dataclass(frozen=True)
class Tensor:
    """One input or output of the model."""

    name: str
    datatype: DataType
    dims: tuple[int, ...]
    """Shape of one instance; DYNAMIC where the model leaves it open."""

    @cached_property
    def elements(self) -> int | None:
        """Elements of one instance, None when the model leaves it open."""
        return None if DYNAMIC in self.dims else prod(self.dims)

    def describe(self) -> dict[str, object]:
        """Return it as JSON for ``/health``."""
        return {"name": self.name, "datatype": self.datatype.name, "shape": list(self.dims)}


class SchemaError(ValueError):
    """The model cannot be served as it or its schema.yaml describes it. The message is the end of a sentence."""


class Batch(StrEnum):
    """What the first dimension of the model's tensors is."""

    JOINED = "joined"
    """It counts instances, and those of several requests may share a call."""
    SINGLE = "single"
    """It counts instances, and each has its own call."""
    NONE = "none"
    """It is a part of what one instance is."""


@dataclass(frozen=True)
class Batching:
    """Whether requests are joined into one call to the model."""

    mode: Batch
    reason: str = ""
    """Why they are not; empty when they are."""

    def describe(self) -> dict[str, object]:
        """Return it as JSON for ``/health`` and ``/schema``."""
        return {"mode": str(self.mode), "joined": self.mode is Batch.JOINED, "reason": self.reason}


_OF_ONE: Final = Batching(Batch.SINGLE, "the model is made for exactly one instance in a call")
BATCH_PARAMETER: Final = "viridian_batch"
REASON_PARAMETER: Final = "viridian_batch_reason"
"""Parameters of Triton's configuration by which the triton container tells the API what it found out."""
THREADS_PARAMETER: Final = "threads"
ONNXRUNTIME_THREADS_PARAMETER: Final = "intra_op_thread_count"
"""Parameters with the threads of one call: of our backends, and of Triton's own for ONNX Runtime."""


@dataclass(frozen=True)
class ModelSchema:
    """Inputs and outputs of the model in this pod."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    max_batch: int
    """Instances in one call; 0 when the model has no batch dimension."""
    batching: Batching = Batching(Batch.JOINED)
    serial: bool = False
    """Whether requests are joined, and the model works on one call after the other."""
    instances: int | None = None
    """Calls that the model works on at the same time; None when Triton does not say it."""
    threads: int | None = None
    """Of one call; None as above."""

    @property
    def of_one(self) -> bool:
        """Whether the model is made for a batch of exactly one."""
        return self.batching == _OF_ONE

    @cached_property
    def input_fingerprint(self) -> str:
        """``sha256:…`` of what the model takes; equal for two models that take the same requests."""
        inputs = sorted((tensor.name, tensor.datatype.name, tensor.dims) for tensor in self.inputs)
        canonical = json.dumps([self.max_batch > 0, inputs], separators=(",", ":"))
        return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"

    @classmethod
    def from_triton(cls, config: Mapping[str, Any]) -> "ModelSchema":
        """Read Triton's model configuration (``GET /v2/models/NAME/config``).

        Args:
            config: The decoded answer.

        Returns:
            The schema.

        Raises:
            SchemaError: The answer is not a model configuration, or one of a model that cannot be served.
        """
        try:
            inputs, outputs = _tensors(config["input"]), _tensors(config["output"])
            max_batch = int(config["max_batch_size"])
            instances, threads = _instances(config), _threads(config)
        except (KeyError, TypeError) as error:
            raise SchemaError(f"Triton's model configuration lacks {error}") from error
        # A python model can say so as late as when it is loaded.
        if (config.get("model_transaction_policy") or {}).get("decoupled"):
            raise SchemaError("it is decoupled: it may give many answers to a request, and the API gives one")
        batching = _batching(config, max_batch)
        if (
            batching.mode is not Batch.SINGLE
            and max_batch == 0
            and all(tensor.dims[:1] == (1,) for tensor in (*inputs, *outputs))
        ):
            # A batch of one, so that instances look as they do for other models.
            batching = _OF_ONE
        if batching.mode is Batch.SINGLE:
            inputs, outputs, max_batch = _without_first(inputs), _without_first(outputs), 1
        serial = batching.mode is Batch.JOINED and instances == 1
        return cls(inputs, outputs, max_batch, batching, serial, instances, threads)


def _parameters(config: Mapping[str, Any]) -> dict[str, str]:
    return {name: each.get("string_value", "") for name, each in (config.get("parameters") or {}).items()}


def _batching(config: Mapping[str, Any], max_batch: int) -> Batching:
    parameters = _parameters(config)
    if BATCH_PARAMETER in parameters:
        return Batching(Batch(parameters[BATCH_PARAMETER]), parameters.get(REASON_PARAMETER, ""))
    if max_batch:
        return Batching(Batch.JOINED)
    return Batching(Batch.NONE, "the model has no batch dimension")


def _instances(config: Mapping[str, Any]) -> int | None:
    """Return how many calls the model works on at the same time; None when Triton does not say it."""
    groups = config.get("instance_group") or ()
    return sum(int(group["count"]) * max(1, len(group.get("gpus") or ())) for group in groups) or None


def _threads(config: Mapping[str, Any]) -> int | None:
    parameters = _parameters(config)
    return next(
        (
            int(parameters[name])
            for name in (THREADS_PARAMETER, ONNXRUNTIME_THREADS_PARAMETER)
            if parameters.get(name, "").isdigit()
        ),
        None,
    )


def _without_first(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return tuple(Tensor(tensor.name, tensor.datatype, tensor.dims[1:]) for tensor in tensors)


def _tensors(entries: Sequence[Mapping[str, Any]]) -> tuple[Tensor, ...]:
    tensors = []
    for entry in entries:
        name = entry["data_type"].removeprefix("TYPE_")
        try:
            datatype = DataType["BYTES" if name == "STRING" else name]
        except KeyError:
            raise SchemaError(
                f"tensor {entry['name']!r} has type {name}, which has no representation in JSON"
            ) from None
        tensors.append(Tensor(entry["name"], datatype, tuple(int(dim) for dim in entry["dims"])))
    return tuple(tensors)
