"""The Open Inference Protocol's binary tensors: a JSON header, then the raw bytes of every tensor.

Encoding a float costs nothing here, where JSON would print and parse it twice more between us and Triton.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, NamedTuple

import msgspec

from viridian_serving.schema import DataType, ModelSchema

HEADER_LENGTH = b"inference-header-content-length"
_KNOWN_HEADERS: Final = 4096
"""Headers that are remembered, at most; beyond that, each is made or read anew."""


class Encoded(NamedTuple):
    """The inputs of one or more instances, ready to be joined with others of the same shapes."""

    shapes: tuple[tuple[int, ...], ...]
    """Shape of one instance, for every input in the schema's order."""
    rows: int
    tensors: tuple[bytes, ...]
    """Bytes of all instances, for every input in the schema's order."""


class OutputTensor(NamedTuple):
    """One output of a call: a flat list of values and the shape that it had."""

    name: str
    datatype: DataType
    shape: tuple[int, ...]
    values: Sequence[Any]


class RequestEncoder:
    """Writes inference requests for one model."""

    def __init__(self, schema: ModelSchema) -> None:
        self._schema = schema
        self._fixed = all(tensor.datatype.size for tensor in schema.inputs)
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
        key = (parts[0].shapes, rows)
        # The header depends on shapes and rows alone, unless strings make the sizes vary.
        header = self._headers.get(key) if self._fixed else None
        if header is None:
            header = self._header(parts[0].shapes, rows, [sum(map(len, column)) for column in columns])
            if self._fixed and len(self._headers) < _KNOWN_HEADERS:
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


class ResponseDecoder:
    """Reads Triton's answers to inference requests of one model."""

    def __init__(self) -> None:
        self._layouts: dict[bytes, list[_Placed]] = {}

    def decode(self, body: bytes, header_length: int | None) -> list[OutputTensor]:
        """Decode an answer.

        Args:
            body: The body.
            header_length: Length of its JSON header; None when all of it is JSON.

        Returns:
            The outputs.

        Raises:
            ValueError: The answer does not follow the protocol.
        """
        length = len(body) if header_length is None else header_length
        header = body[:length]
        try:
            # The header is the same for every answer with as many rows, unless strings make the sizes vary.
            layout = self._layouts.get(header)
            if layout is None:
                layout = [_Placed.read(entry) for entry in msgspec.json.decode(header)["outputs"]]
                if len(self._layouts) < _KNOWN_HEADERS and all(placed.elements for placed in layout):
                    self._layouts[header] = layout
            outputs = []
            for placed in layout:
                outputs.append(placed.output(body, length))
                length += placed.size
        except (KeyError, TypeError, AttributeError, struct.error, msgspec.DecodeError) as error:
            raise ValueError(f"Triton's answer does not follow the inference protocol: {error!r}") from error
        return outputs


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """One output in an answer: what the header says of it."""

    name: str
    datatype: DataType
    shape: tuple[int, ...]
    size: int
    """Bytes behind the header."""
    elements: struct.Struct | None
    """All of its elements, when their sizes are fixed."""
    data: Sequence[Any] | None
    """Its elements, when they are in the header itself."""

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> "_Placed":
        datatype = DataType[entry["datatype"]]
        size = entry.get("parameters", {}).get("binary_data_size")
        shape = tuple(entry["shape"])
        if size is None:
            return cls(entry["name"], datatype, shape, 0, None, entry["data"])
        if not datatype.size:
            return cls(entry["name"], datatype, shape, size, None, None)
        elements = struct.Struct(f"<{size // datatype.size}{datatype.value}")
        if elements.size != size:
            raise struct.error(f"{size} bytes are no whole number of {datatype.name}")
        return cls(entry["name"], datatype, shape, size, elements, None)

    def output(self, body: bytes, start: int) -> OutputTensor:
        if self.elements is not None:
            values: Sequence[Any] = self.elements.unpack_from(body, start)
        elif self.data is not None:
            values = self.data
        else:
            values = _strings(memoryview(body)[start : start + self.size])
        return OutputTensor(self.name, self.datatype, self.shape, values)


def _strings(raw: memoryview) -> list[str]:
    values = []
    position = 0
    while position < len(raw):
        (length,) = struct.unpack_from("<I", raw, position)
        position += 4
        values.append(str(raw[position : position + length], "utf-8", "replace"))
        position += length
    return values
