"""Requests of the Open Inference Protocol over gRPC, read before Triton sees them, like those over HTTP.

Tensors as bytes are never copied: the message is taken apart into its fields, and only the others are decoded. What is
passed on is the message itself, which means to Triton what it means here: both go by protobuf's rules.
"""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError

from viridian_serving.codec.instances import Violations, join
from viridian_serving.codec.oip_grpc import RAW_INPUTS, count_of, read_header
from viridian_serving.codec.oip_paths import no_model
from viridian_serving.codec.oip_request import refused
from viridian_serving.codec.tensor_rules import TensorRules, elements_of, fault_of_bytes
from viridian_serving.codec.tensors import ModelSchema
from viridian_serving.http1.problems import Problem

_MOST_FIELDS: Final = 10_000
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT: Final = 10


class InferMessage(NamedTuple):
    """A message that Triton may get."""

    tensors: list[bytes | memoryview]
    """Bytes of its tensors; the message's other fields, where those hold the values."""
    instances: int
    """How many it is about."""


class MessageReader:
    """Reads messages for one model."""

    def __init__(self, model: ModelSchema, name: str) -> None:
        """Prepare.

        Args:
            model: What it takes and gives.
            name: The model's.
        """
        self._name = name
        self._rules = TensorRules(model)

    def read(self, message: bytes) -> InferMessage:
        """Check a message.

        Args:
            message: A ModelInferRequest.

        Returns:
            What is in it.

        Raises:
            Problem: Status 400 or 404; it names what is wrong.
        """
        try:
            rest, raw = _taken_apart(message)
            header = read_header(rest)
        except (ValueError, DecodeError) as error:
            raise Problem(400, "invalid-input", f"The message is no ModelInferRequest: {error}.") from None
        if header.model_name != self._name:
            raise no_model(header.model_name)
        violations = Violations()
        _check_parameters(header, "", violations)
        self._check_inputs(header.tensors, raw, violations)
        names: set[str] = set()
        for position, each in enumerate(header.outputs):
            where = f"/outputs/{position}"
            self._rules.check_output(each.name, names, where, violations)
            _check_parameters(each, where, violations)
        if violations.number:
            raise refused(violations)
        return InferMessage(list(raw) or [rest], self._rules.instances_of(each.shape for each in header.tensors))

    def _check_inputs(self, inputs: Any, raw: list[memoryview], violations: Violations) -> None:  # noqa: ANN401
        if raw and len(raw) != len(inputs):
            violations.add("/raw_input_contents", f"holds {len(raw)} tensors, and there are {len(inputs)} inputs")
            return
        names = set()
        for position, (each, piece) in enumerate(zip_longest(inputs, raw)):
            where = f"/inputs/{position}"
            if each.name in names:
                violations.add(f"{where}/name", "is there twice")
            names.add(each.name)
            _check_parameters(each, where, violations)
            datatype = self._rules.check(each.name, each.datatype, each.shape, where, violations)
            if datatype is None:
                continue
            there, others = count_of(each)
            if others or (there and piece is not None):
                violations.add(f"{where}/contents", f"must hold nothing but values of {datatype.name}, or raw bytes")
            elif piece is None and there != elements_of(each.shape):
                wanted = elements_of(each.shape)
                violations.add(f"{where}/shape", f"asks for {wanted} values, and {there} came")
            elif piece is not None and (fault := fault_of_bytes(piece, datatype, each.shape)) is not None:
                violations.add(f"{where}/shape", fault)


def _check_parameters(tensor: Any, where: str, violations: Violations) -> None:  # noqa: ANN401
    for parameter in tensor.parameters:
        if parameter.name.startswith("shared_memory_"):
            pointer = join(f"{where}/parameters", parameter.name)
            violations.add(pointer, "cannot be used here; send the tensor in the message")


def _taken_apart(message: bytes) -> tuple[bytes, list[memoryview]]:
    """Part the tensors' bytes from the other fields of a message.

    Raises:
        ValueError: It is no message.
    """
    view = memoryview(message)
    rest: list[memoryview] = []
    raw: list[memoryview] = []
    for number, start, content, end in _fields(view):
        if len(rest) + len(raw) > _MOST_FIELDS:
            raise ValueError(f"it has more than {_MOST_FIELDS} fields")
        if number == RAW_INPUTS:
            raw.append(view[content:end])
        else:
            rest.append(view[start:end])
    return b"".join(rest), raw


def _fields(view: memoryview) -> Iterator[tuple[int, int, int, int]]:
    """Return the fields of a message: number, where it begins, where its content does, and where it ends."""
    position = 0
    while position < len(view):
        start = position
        tag, position = _varint(view, position)
        kind, content = tag & 7, position
        if kind == _BYTES:
            size, content = _varint(view, position)
            position = content + size
        elif kind == _VARINT:
            _, position = _varint(view, position)
        elif kind in (_FIXED32, _FIXED64):
            position += 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"a field has wire type {kind}")
        if position > len(view):
            raise ValueError("it ends too early")
        if tag >> 3 == RAW_INPUTS and kind != _BYTES:
            raise ValueError("raw_input_contents are no bytes")
        yield tag >> 3, start, content, position


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for place in range(_LONGEST_VARINT):
        if position >= len(view):
            raise ValueError("it ends too early")
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, position
    raise ValueError("a number in it never ends")
