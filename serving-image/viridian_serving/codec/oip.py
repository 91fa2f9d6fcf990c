"""The Open Inference Protocol's binary tensors: a JSON header, then the raw bytes of every tensor.

Encoding a float costs nothing here, where JSON would print and parse it twice more between us and Triton.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Final, NamedTuple

import msgspec

from viridian_serving.codec.tensors import DataType, ModelSchema

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


class TensorValues(NamedTuple):
    """One tensor of a call: a flat list of values and the shape that it had."""

    name: str
    datatype: DataType
    shape: tuple[int, ...]
    values: Sequence[Any]

    @classmethod
    def read(cls, name: str, datatype: str, shape: Sequence[int], raw: bytes) -> "TensorValues":
        """Read a tensor's bytes.

        Args:
            name: Its name.
            datatype: Its type, by the protocol's name.
            shape: Its shape.
            raw: Its elements, as pack() writes them.

        Raises:
            ValueError: The type is not known, or the bytes are no whole number of elements.
        """
        try:
            return _Placed.of(name, DataType[datatype], tuple(shape), len(raw)).values(raw, 0)
        except (KeyError, struct.error) as error:
            raise ValueError(f"tensor {name} cannot be read: {error!r}") from error


def nest(flat: Sequence[Any], shape: Sequence[int]) -> list[Any]:
    """Make lists of lists out of a flat list, whose length is that of the shape, which has a dimension or more."""
    if len(shape) == 1:
        return list(flat)
    width = prod(shape[1:])
    return [nest(flat[i * width : (i + 1) * width], shape[1:]) for i in range(shape[0])]


def error_message(body: bytes) -> str:
    """Read what a server of the protocol says about a request that failed; else give the beginning of what it says."""
    try:
        return str(msgspec.json.decode(body)["error"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return body[:200].decode("utf-8", "replace")


def has_lost_process(message: str) -> bool:
    """Whether Triton says of a request that it gave up the process which runs the model.

    It does so when that process has ended, perhaps of what it was asked, and when a call lasts for a second while the
    process has no CPU: on a node that is overloaded, or while it is frozen. Its words do not tell which.
    """
    return message.startswith("Stub process") and message.rstrip().endswith("is not healthy.")


class RequestEncoder:
    """Writes inference requests for one model."""

    def __init__(self, schema: ModelSchema, head: bytes) -> None:
        """Prepare.

        Args:
            schema: What the model takes and gives.
            head: How an HTTP request for an inference begins: its line, and what headers it always has.
        """
        self._schema = schema
        self._head = head
        self._fixed = all(tensor.datatype.size for tensor in schema.inputs)
        self._prefixes: dict[tuple[object, ...], bytes] = {}

    def encode(self, parts: Sequence[Encoded]) -> bytes:
        """Join instances into one request.

        Args:
            parts: Instances of equal shapes.

        Returns:
            The whole HTTP request.
        """
        rows = sum([part.rows for part in parts])
        if len(parts) == 1:
            tensors: list[bytes] = list(parts[0].tensors)
        else:
            tensors = [part.tensors[i] for i in range(len(self._schema.inputs)) for part in parts]
        if not self._fixed:
            return b"".join([self._prefix(parts, rows), *tensors])
        # What stands before the tensors depends on shapes and rows alone, unless strings make the sizes vary.
        key = (parts[0].shapes, rows)
        prefix = self._prefixes.get(key)
        if prefix is None:
            prefix = self._prefix(parts, rows)
            if len(self._prefixes) < _KNOWN_HEADERS:
                self._prefixes[key] = prefix
        tensors.insert(0, prefix)
        return b"".join(tensors)

    def _prefix(self, parts: Sequence[Encoded], rows: int) -> bytes:
        sizes = [sum([len(part.tensors[i]) for part in parts]) for i in range(len(self._schema.inputs))]
        header = self._header(parts[0].shapes, rows, sizes)
        lengths = (len(header), len(header) + sum(sizes))
        return b"%sInference-Header-Content-Length: %d\r\nContent-Length: %d\r\n\r\n%s" % (self._head, *lengths, header)

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

    def decode(self, body: bytes, header_length: int | None) -> list[TensorValues]:
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
                layout = _layout(header, "outputs")
                if len(self._layouts) < _KNOWN_HEADERS and all(placed.elements for placed in layout):
                    self._layouts[header] = layout
            return _values(layout, body, length)
        except _UNREADABLE as error:
            raise ValueError(f"Triton's answer does not follow the inference protocol: {error!r}") from error


def read_tensors(body: bytes, header_length: int | None, member: str) -> list[TensorValues]:
    """Read the tensors of any request or answer.

    Args:
        body: The body.
        header_length: Length of its JSON header; None when all of it is JSON.
        member: ``inputs`` or ``outputs``.

    Raises:
        ValueError: They cannot be read.
    """
    length = len(body) if header_length is None else header_length
    try:
        return _values(_layout(body[:length], member), body, length)
    except _UNREADABLE as error:
        raise ValueError(f"the {member} do not follow the inference protocol: {error!r}") from error


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """One tensor in a body: what the header says of it."""

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
    def of(cls, name: str, datatype: DataType, shape: tuple[int, ...], size: int) -> "_Placed":
        if not datatype.size:
            return cls(name, datatype, shape, size, None, None)
        elements = struct.Struct(f"<{size // datatype.size}{datatype.value}")
        if elements.size != size:
            raise struct.error(f"{size} bytes are no whole number of {datatype.name}")
        return cls(name, datatype, shape, size, elements, None)

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> "_Placed":
        name, datatype, shape = entry["name"], DataType[entry["datatype"]], tuple(entry["shape"])
        size = entry.get("parameters", {}).get("binary_data_size")
        if size is None:
            return cls(name, datatype, shape, 0, None, entry["data"])
        return cls.of(name, datatype, shape, size)

    def values(self, body: bytes, start: int) -> TensorValues:
        if self.elements is not None:
            values: Sequence[Any] = self.elements.unpack_from(body, start)
        elif self.data is not None:
            values = self.data
        else:
            values = _strings(memoryview(body)[start : start + self.size])
        return TensorValues(self.name, self.datatype, self.shape, values)


_UNREADABLE: Final = (KeyError, TypeError, AttributeError, struct.error, msgspec.DecodeError)


def _layout(header: bytes, member: str) -> list[_Placed]:
    return [_Placed.read(entry) for entry in msgspec.json.decode(header)[member]]


def _values(layout: Sequence[_Placed], body: bytes, start: int) -> list[TensorValues]:
    found = []
    for placed in layout:
        found.append(placed.values(body, start))
        start += placed.size
    return found


def _strings(raw: memoryview) -> list[str]:
    values = []
    position = 0
    while position < len(raw):
        (length,) = struct.unpack_from("<I", raw, position)
        position += 4
        values.append(str(raw[position : position + length], "utf-8", "replace"))
        position += length
    return values
