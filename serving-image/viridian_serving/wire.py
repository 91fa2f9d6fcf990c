"""The Open Inference Protocol's binary tensors: a JSON header, then the raw bytes of every tensor.

Encoding a float costs nothing here, where JSON would print and parse it twice more between us and Triton.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import msgspec

from viridian_serving.schema import DataType, ModelSchema

HEADER_LENGTH = b"inference-header-content-length"


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """The inputs of one or more instances, ready to be joined with others of the same shapes."""

    shapes: tuple[tuple[int, ...], ...]
    """Shape of one instance, for every input in the schema's order."""
    rows: int
    tensors: tuple[bytes, ...]
    """Bytes of all instances, for every input in the schema's order."""


@dataclass(frozen=True, slots=True, eq=False)
class OutputTensor:
    """One output of a call: a flat list of values and the shape that it had."""

    name: str
    datatype: DataType
    shape: tuple[int, ...]
    values: Sequence[Any]


class RequestEncoder:
    """Writes inference requests for one model."""

    def __init__(self, schema: ModelSchema) -> None:
        self._schema = schema
        self._headers: dict[tuple[object, ...], bytes] = {}

    def encode(self, parts: Sequence[Encoded]) -> tuple[int, list[bytes]]:
        """Join instances into one request.

        Args:
            parts: Instances of equal shapes.

        Returns:
            Length of the JSON header in bytes, and the body in pieces.
        """
        rows = sum(part.rows for part in parts)
        columns = [[part.tensors[i] for part in parts] for i in range(len(self._schema.inputs))]
        fixed = all(tensor.datatype.size for tensor in self._schema.inputs)
        key = (parts[0].shapes, rows)
        # The header depends on shapes and rows alone, unless strings make the sizes vary.
        header = self._headers.get(key) if fixed else None
        if header is None:
            header = self._header(parts[0].shapes, rows, [sum(map(len, column)) for column in columns])
            if fixed and len(self._headers) < 4096:
                self._headers[key] = header
        return len(header), [header, *chain.from_iterable(columns)]

    def _header(self, shapes: Sequence[tuple[int, ...]], rows: int, sizes: Sequence[int]) -> bytes:
        batch = (rows,) if self._schema.max_batch else ()
        return msgspec.json.encode(
            {
                "inputs": [
                    {
                        "name": tensor.name,
                        "shape": [*batch, *shape],
                        "datatype": tensor.datatype.name,
                        "parameters": {"binary_data_size": size},
                    }
                    for tensor, shape, size in zip(self._schema.inputs, shapes, sizes, strict=True)
                ],
                "outputs": [
                    {"name": tensor.name, "parameters": {"binary_data": True}} for tensor in self._schema.outputs
                ],
            }
        )


def pack(datatype: DataType, values: Sequence[Any]) -> bytes:
    """Encode a flat list of elements.

    Args:
        datatype: Their type.
        values: Numbers, booleans, or strings for BYTES.

    Returns:
        Little-endian bytes; strings are preceded by their length.

    Raises:
        struct.error: A number is out of the type's range.
        OverflowError: A number is out of the type's range.
    """
    if datatype is DataType.BYTES:
        encoded = [value.encode() for value in values]
        return b"".join(part for item in encoded for part in (struct.pack("<I", len(item)), item))
    return struct.pack(f"<{len(values)}{datatype.value}", *values)


def decode_response(body: bytes, header_length: int | None) -> list[OutputTensor]:
    """Decode Triton's answer to an inference request.

    Args:
        body: The body.
        header_length: Length of its JSON header; None when all of it is JSON.

    Returns:
        The outputs.

    Raises:
        ValueError: The answer does not follow the protocol.
    """
    length = len(body) if header_length is None else header_length
    view = memoryview(body)
    try:
        described = msgspec.json.decode(view[:length])["outputs"]
        outputs = []
        for entry in described:
            datatype = DataType[entry["datatype"]]
            size = entry.get("parameters", {}).get("binary_data_size")
            if size is None:
                values: Sequence[Any] = entry["data"]
            else:
                values = _unpack(datatype, view[length : length + size])
                length += size
            outputs.append(OutputTensor(entry["name"], datatype, tuple(entry["shape"]), values))
    except (KeyError, TypeError, AttributeError, struct.error, msgspec.DecodeError) as error:
        raise ValueError(f"Triton's answer does not follow the inference protocol: {error!r}") from error
    return outputs


def _unpack(datatype: DataType, raw: memoryview) -> Sequence[Any]:
    if datatype is not DataType.BYTES:
        return struct.unpack(f"<{len(raw) // datatype.size}{datatype.value}", raw)
    values = []
    position = 0
    while position < len(raw):
        (length,) = struct.unpack_from("<I", raw, position)
        position += 4
        values.append(str(raw[position : position + length], "utf-8", "replace"))
        position += length
    return values
