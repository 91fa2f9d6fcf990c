"""Tensors in gRPC's messages of the Open Inference Protocol.

A request is described whole, since one that cannot be decoded must be refused here and not by Triton; of an answer only
what matters. The fields are those of the protocol's own definition: https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/open_inference_grpc.proto
"""

from collections.abc import Sequence
from typing import Any, Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from viridian_serving.codec.oip import TensorValues
from viridian_serving.codec.tensors import DataType

_CONTENTS: Final = {
    "bool_contents": (1, FieldDescriptorProto.TYPE_BOOL, ("BOOL",)),
    "int_contents": (2, FieldDescriptorProto.TYPE_INT32, ("INT8", "INT16", "INT32")),
    "int64_contents": (3, FieldDescriptorProto.TYPE_INT64, ("INT64",)),
    "uint_contents": (4, FieldDescriptorProto.TYPE_UINT32, ("UINT8", "UINT16", "UINT32")),
    "uint64_contents": (5, FieldDescriptorProto.TYPE_UINT64, ("UINT64",)),
    "fp32_contents": (6, FieldDescriptorProto.TYPE_FLOAT, ("FP32",)),
    "fp64_contents": (7, FieldDescriptorProto.TYPE_DOUBLE, ("FP64",)),
    "bytes_contents": (8, FieldDescriptorProto.TYPE_BYTES, ("BYTES",)),
}
"""Where a tensor's values are, by its type, when they are not raw: field, its number and type."""
_FIELD_OF: Final = {name: field for field, (_, _, names) in _CONTENTS.items() for name in names}
_PARAMETERS: Final = (
    FieldDescriptorProto.TYPE_BOOL,
    FieldDescriptorProto.TYPE_INT64,
    FieldDescriptorProto.TYPE_STRING,
    FieldDescriptorProto.TYPE_DOUBLE,
    FieldDescriptorProto.TYPE_UINT64,
)
"""Types of a parameter's value, by the numbers of their fields."""
RAW_INPUTS: Final = 7
"""Number of the field with the inputs' raw values."""
_MESSAGES: Final = {"inputs": ("Request", 5, RAW_INPUTS), "outputs": ("Response", 5, 6)}
"""By what they hold: name, number of the tensors' field, number of the raw values' field."""


def read_tensors(message: bytes, member: str) -> list[TensorValues]:
    """Read the tensors of a request or an answer.

    Args:
        message: ModelInferRequest or ModelInferResponse.
        member: ``inputs`` or ``outputs``.

    Raises:
        ValueError: It is none, or has a type that Python has not.
    """
    try:
        found = _CLASSES[member].FromString(message)
        return [
            TensorValues.read(each.name, each.datatype, each.shape, found.raw[position])
            if found.raw
            else TensorValues(each.name, DataType[each.datatype], tuple(each.shape), _contents(each))
            for position, each in enumerate(found.tensors)
        ]
    except (DecodeError, KeyError, IndexError) as error:
        raise ValueError(f"the {member} do not follow the inference protocol: {error!r}") from error


def read_header(message: bytes) -> Any:  # noqa: ANN401  a message of _CLASSES
    """Decode a request as it is, with members model_name, tensors and outputs.

    Args:
        message: ModelInferRequest, or a part of its fields.

    Raises:
        DecodeError: It is none.
    """
    return _CLASSES["inputs"].FromString(message)


def count_of(tensor: Any) -> tuple[int, int]:  # noqa: ANN401
    """Count the values in a tensor: of its own type, and of any other."""
    own = _FIELD_OF.get(tensor.datatype)
    numbers = {name: len(getattr(tensor.contents, name)) for name in _CONTENTS}
    there = numbers.pop(own, 0) if own is not None else 0
    return there, sum(numbers.values())


def _contents(tensor: Any) -> Sequence[Any]:  # noqa: ANN401  a message of _CLASSES
    values = list(getattr(tensor.contents, _FIELD_OF[tensor.datatype]))
    return [value.decode("utf-8", "replace") for value in values] if tensor.datatype == "BYTES" else values


def _classes() -> dict[str, Any]:
    text, number, raw, message = (
        FieldDescriptorProto.TYPE_STRING,
        FieldDescriptorProto.TYPE_INT64,
        FieldDescriptorProto.TYPE_BYTES,
        FieldDescriptorProto.TYPE_MESSAGE,
    )
    one, many = FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.LABEL_REPEATED
    file = FileDescriptorProto(name="viridian_inference.proto", package="viridian.inference", syntax="proto3")
    contents = file.message_type.add(name="Contents")
    for name, (position, kind, _) in _CONTENTS.items():
        contents.field.add(name=name, number=position, type=kind, label=many)
    value = file.message_type.add(name="Value")
    for number_, kind in enumerate(_PARAMETERS, 1):
        value.field.add(name=f"value_{number_}", number=number_, type=kind, label=one)
    parameter = file.message_type.add(name="Parameter")  # an entry of a map
    parameter.field.add(name="name", number=1, type=text, label=one)
    parameter.field.add(name="value", number=2, type=message, label=one, type_name=".viridian.inference.Value")
    parameters = {"name": "parameters", "type": message, "label": many, "type_name": ".viridian.inference.Parameter"}
    tensor = file.message_type.add(name="Tensor")
    tensor.field.add(name="name", number=1, type=text, label=one)
    tensor.field.add(name="datatype", number=2, type=text, label=one)
    tensor.field.add(name="shape", number=3, type=number, label=many)
    tensor.field.add(number=4, **parameters)
    tensor.field.add(name="contents", number=5, type=message, label=one, type_name=".viridian.inference.Contents")
    output = file.message_type.add(name="Output")
    output.field.add(name="name", number=1, type=text, label=one)
    output.field.add(number=2, **parameters)
    for name, tensors_at, raw_at in _MESSAGES.values():
        body = file.message_type.add(name=name)
        body.field.add(
            name="tensors", number=tensors_at, type=message, label=many, type_name=".viridian.inference.Tensor"
        )
        body.field.add(name="raw", number=raw_at, type=raw, label=many)
    body = next(each for each in file.message_type if each.name == "Request")
    for position, name in enumerate(("model_name", "model_version", "id"), 1):
        body.field.add(name=name, number=position, type=text, label=one)
    body.field.add(number=4, **parameters)
    body.field.add(name="outputs", number=6, type=message, label=many, type_name=".viridian.inference.Output")
    pool = DescriptorPool()
    pool.Add(file)
    return {
        member: GetMessageClass(pool.FindMessageTypeByName(f"viridian.inference.{name}"))
        for member, (name, _, _) in _MESSAGES.items()
    }


_CLASSES: Final = _classes()
