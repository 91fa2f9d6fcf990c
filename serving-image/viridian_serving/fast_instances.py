"""The fast reader of ``/predict`` bodies: typed decoders made for one model's inputs.

It never says what is wrong. Whatever it does not take at once, the careful reader looks at again.
"""

import struct
import types
from collections.abc import Sequence
from functools import partial
from itertools import chain
from math import prod
from typing import Any, Protocol

import msgspec

from viridian_serving.schema import DYNAMIC, DataType, ModelSchema, Tensor
from viridian_serving.wire import Encoded, pack

_BEGINNING = 64
"""Bytes looked at to tell a list of instances from one; a body that begins with more blanks is left to the other."""


class _MismatchError(Exception):
    """The lists are not nested as the input's shape asks for."""


_ERRORS = (msgspec.DecodeError, struct.error, OverflowError, UnicodeEncodeError, _MismatchError)


class _Packer(Protocol):
    def __call__(self, value: Any, /) -> tuple[tuple[int, ...], bytes]:  # noqa: ANN401  a decoded JSON value
        """Give the shape and the bytes of one input."""
        ...


class FastReader:
    """Reads well-formed bodies for one model."""

    def __init__(self, schema: ModelSchema) -> None:
        """Make the decoders."""
        inputs = schema.inputs
        json_types = [_json_type(tensor) for tensor in inputs]
        self._packers: list[_Packer] = [_packer(tensor) for tensor in inputs]
        # Inputs may have names that are no Python identifiers.
        self._fields = [f"field_{i}" for i in range(len(inputs))]
        instance = msgspec.defstruct(
            "Instance",
            list(zip(self._fields, json_types, strict=True)),
            rename=dict(zip(self._fields, (tensor.name for tensor in inputs), strict=True)),
            forbid_unknown_fields=True,
        )
        self._one = msgspec.json.Decoder(instance)
        self._many = msgspec.json.Decoder(list[instance])  # type: ignore[valid-type]
        self._bare_depth = max(1, len(inputs[0].dims)) if len(inputs) == 1 else None
        self._bare_one = msgspec.json.Decoder(json_types[0])
        self._bare_many = msgspec.json.Decoder(list[json_types[0]])  # type: ignore[valid-type]

    def read(self, body: bytes) -> tuple[list[Encoded], bool] | None:
        """Read a body.

        Args:
            body: See InstanceReader.read().

        Returns:
            The instances, each by itself, and whether they came as a list; None when the body is not plainly valid.
        """
        try:
            if body[:1] == b"{":
                return [self._named(self._one.decode(body))], False
            beginning = body[:_BEGINNING].translate(None, b" \t\r\n")
            if beginning[:2] == b"[{":
                return [self._named(item) for item in self._many.decode(body)], True
            depth = len(beginning) - len(beginning.lstrip(b"["))
            if depth == self._bare_depth:
                return [self._bare(self._bare_one.decode(body))], False
            if self._bare_depth is not None and depth == self._bare_depth + 1:
                return [self._bare(item) for item in self._bare_many.decode(body)], True
        except _ERRORS:
            return None
        return None

    def _named(self, item: object) -> Encoded:
        return _encoded(
            [packer(getattr(item, field)) for packer, field in zip(self._packers, self._fields, strict=True)]
        )

    def _bare(self, item: object) -> Encoded:
        return _encoded([self._packers[0](item)])


def _encoded(inputs: Sequence[tuple[tuple[int, ...], bytes]]) -> Encoded:
    shapes, tensors = zip(*inputs, strict=True)
    return Encoded(shapes, 1, tensors)


def _json_type(tensor: Tensor) -> Any:  # noqa: ANN401  a type
    element: Any = str if tensor.datatype is DataType.BYTES else float if tensor.datatype.is_float else int
    if tensor.datatype is DataType.BOOL:
        element = bool
    nested = element
    for _ in range(max(1, len(tensor.dims))):
        nested = types.GenericAlias(list, (nested,))
    return element | nested if tensor.dims in ((), (1,)) else nested


def _packer(tensor: Tensor) -> _Packer:
    if len(tensor.dims) == 1 and tensor.elements not in (None, 1) and tensor.datatype.value:
        return partial(_pack_row, tensor.dims, struct.Struct(f"<{tensor.elements}{tensor.datatype.value}"))
    return partial(_pack_nested, tensor)


def _pack_row(dims: tuple[int, ...], row: struct.Struct, value: list[Any], /) -> tuple[tuple[int, ...], bytes]:
    return dims, row.pack(*value)  # struct counts the elements


def _pack_nested(tensor: Tensor, value: Any, /) -> tuple[tuple[int, ...], bytes]:  # noqa: ANN401  a decoded JSON value
    level = value if isinstance(value, list) else [value]
    shape: list[int] = []
    for dim in tensor.dims or (1,):
        if shape:
            # The lists one level down, which must all be as long as the first.
            lengths = set(map(len, level))
            level = list(chain.from_iterable(level))
        else:
            lengths = {len(level)}
        if len(lengths) != 1 or 0 in lengths or dim not in (DYNAMIC, *lengths):
            raise _MismatchError
        shape.append(lengths.pop())
    if len(level) != prod(shape):
        raise _MismatchError
    return tuple(shape) if tensor.dims else (), pack(tensor.datatype, level)
