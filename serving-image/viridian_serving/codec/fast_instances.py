"""The fast reader of ``/predict`` bodies: typed decoders made for one model's inputs.

It never says what is wrong. Whatever it does not take at once, the careful reader looks at again.
"""

import math
import re
import struct
import sys
import types
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Protocol

import msgspec

from viridian_serving.codec.features import Feature, RequestSchema, Slot
from viridian_serving.codec.json_reading import repeats_member
from viridian_serving.codec.oip import Encoded, pack
from viridian_serving.codec.tensors import DYNAMIC, DataType, Kind

if TYPE_CHECKING:
    from viridian_serving.codec.number_arrays import ArrayReader

_LARGE: Final = 64 * 1024
"""Bytes of a body from which on its floats are read as an array: below, it saves a tenth of a millisecond at most."""
_NUMBER: Final = 8
"""Bytes of a number in JSON, roughly."""
_NEVER: Final = sys.maxsize

_BEGINNING = 64
"""Bytes looked at to tell a list of instances from one; a body that begins with more blanks is left to the other."""

_LONG_LIST: Final = 16
"""Elements from which on a list is packed by a separate call."""
_UNREADABLE: Final = re.compile(r'[\\"\x00-\x1f]')
"""What the decoder does not take in a member's name, since JSON escapes it."""


class _MismatchError(Exception):
    """The lists are not nested as the input's shape asks for."""


_ERRORS = (msgspec.DecodeError, struct.error, OverflowError, UnicodeError, ValueError, _MismatchError)


class _Packer(Protocol):
    def __call__(self, value: Any, /) -> tuple[tuple[int, ...], bytes]:  # noqa: ANN401  a decoded JSON value
        """Return the shape and the bytes of one input."""
        ...


class FastReader:
    """Reads well-formed bodies for one model."""

    def __init__(self, schema: RequestSchema, large: int = _LARGE) -> None:
        """Make the decoders.

        Args:
            schema: What an instance is.
            large: Bytes of a body that is large; one input of floats is then read by an ArrayReader.
        """
        features = schema.features
        self._reads = not any(_UNREADABLE.search(feature.name) for feature in features)
        if not self._reads:
            return
        json_types = [_json_type(feature) for feature in features]
        # Features may have names that are no Python identifiers.
        fields = [f"field_{i}" for i in range(len(features))]
        self._inputs: list[tuple[Callable[[object], Any], _Packer]] = [
            (attrgetter(*(fields[source] for source in slot.sources)), _packer(slot, features)) for slot in schema.slots
        ]
        instance = _struct(fields, json_types, features)
        self._one = msgspec.json.Decoder(instance)
        self._quotes = _quotes(features)
        self._boxes = [name for name, feature in zip(fields, features, strict=True) if feature.boxed]
        boxed = [list[each] if name in self._boxes else each for name, each in zip(fields, json_types, strict=True)]  # type: ignore[valid-type]
        self._boxed = msgspec.json.Decoder(_struct(fields, boxed, features))
        self._many = msgspec.json.Decoder(list[instance])  # type: ignore[valid-type]
        self._bare_depth = bare_depth(features[0]) if len(features) == 1 else None
        self._bare_one = msgspec.json.Decoder(json_types[0])
        self._bare_many = msgspec.json.Decoder(list[json_types[0]])  # type: ignore[valid-type]
        self._large, self._large_list = _large_bodies(schema, large)
        self._feature = features[0]
        self._array_reader: ArrayReader | None = None

    def read(self, body: bytes) -> tuple[list[Encoded], bool] | None:
        """Read a body.

        Args:
            body: See InstanceReader.read().

        Returns:
            The instances, each by itself, and whether they came as a list; None when the body is not plainly valid.
        """
        if not self._reads:
            return None
        if len(body) >= self._large:
            read = self._read_arrays(body)
            if read is not None:
                return read
        try:
            if body[:1] == b"{":
                named = [self._named(self._decoded(body))]
                return (named, False) if self._is_unique(body, 1) else None
            beginning = _beginning(body)
            if beginning[:2] == b"[{":
                named = [self._named(item) for item in self._many.decode(body)]
                return (named, True) if self._is_unique(body, len(named)) else None
            depth = _lists_opened(beginning)
            if depth == self._bare_depth:
                return [self._bare(self._bare_one.decode(body))], False
            if self._bare_depth is not None and depth == self._bare_depth + 1:
                return [self._bare(item) for item in self._bare_many.decode(body)], True
        except _ERRORS:
            return None
        return None

    def _read_arrays(self, body: bytes) -> tuple[list[Encoded], bool] | None:
        """Read a large body if it is plainly valid; see read()."""
        beginning = _beginning(body)
        many = beginning[:2] == b"[{"
        named = many or beginning[:1] == b"{"
        if not named:
            depth = _lists_opened(beginning)
            many = depth == len(self._feature.dims) + 1
            if not many and depth != len(self._feature.dims):
                return None
        if many and len(body) < self._large_list:
            return None
        if self._array_reader is None:
            # Its libraries take 15 MiB, and few models get such a body.
            from viridian_serving.codec.number_arrays import ArrayReader

            self._array_reader = ArrayReader(self._feature)
        instances = self._array_reader.read(body, named=named, many=many)
        return None if instances is None else (instances, many)

    def _is_unique(self, body: bytes, instances: int) -> bool:
        """Whether no instance has a member twice, of which the decoder takes the last."""
        return body.count(b'"') == instances * self._quotes or not repeats_member(body)

    def _decoded(self, body: bytes) -> object:
        try:
            return self._one.decode(body)
        except msgspec.ValidationError:
            if not self._boxes:
                raise
        item = self._boxed.decode(body)
        for name in self._boxes:
            (value,) = getattr(item, name)
            setattr(item, name, value)
        return item

    def _named(self, item: object) -> Encoded:
        if len(self._inputs) == 1:  # as most models have it, and the rest of this takes twice as long
            get, packer = self._inputs[0]
            shape, tensor = packer(get(item))
            return Encoded((shape,), 1, (tensor,))
        return _encoded([packer(get(item)) for get, packer in self._inputs])

    def _bare(self, item: object) -> Encoded:
        return _encoded([self._inputs[0][1](item)])


def _struct(fields: Sequence[str], json_types: Sequence[Any], features: Sequence[Feature]) -> type[msgspec.Struct]:
    """Make the type of an instance."""
    return msgspec.defstruct(
        "Instance",
        list(zip(fields, json_types, strict=True)),
        rename=dict(zip(fields, (feature.name for feature in features), strict=True)),
        forbid_unknown_fields=True,
    )


def _quotes(features: Sequence[Feature]) -> int:
    """Count the quotes of an instance whose texts have none; 0, which no instance has, if there are lists of texts."""
    if any(feature.kind is Kind.STRING and not feature.single for feature in features):
        return 0
    return 2 * (len(features) + sum(feature.kind is Kind.STRING for feature in features))


def bare_depth(feature: Feature) -> int:
    """Return how many levels of lists a value has that comes without its name."""
    return len(feature.dims) if feature.strict else max(1, len(feature.dims))


def _beginning(body: bytes) -> bytes:
    """Return how a body begins, without blanks."""
    return body[:_BEGINNING].translate(None, b" \t\r\n")


def _lists_opened(beginning: bytes) -> int:
    """Return how many lists begin at once."""
    return len(beginning) - len(beginning.lstrip(b"["))


def _large_bodies(schema: RequestSchema, large: int) -> tuple[int, int]:
    """Return from how many bytes on an instance, and a list of instances, are read by an ArrayReader."""
    feature = schema.features[0]
    floats = feature.kind is Kind.NUMBER and feature.datatype.is_float and not feature.single
    alone = len(schema.features) == len(schema.slots) == 1 and not schema.slots[0].row
    if not floats or not alone or feature.nullable or feature.categories or "[" in feature.name:
        return _NEVER, _NEVER
    if DYNAMIC in feature.dims:  # a list may hold many small instances, which this would not make faster
        return large, _NEVER
    return (large, large) if math.prod(feature.dims) * _NUMBER >= large else (_NEVER, _NEVER)


def _encoded(inputs: Sequence[tuple[tuple[int, ...], bytes]]) -> Encoded:
    shapes, tensors = zip(*inputs, strict=True)
    return Encoded(shapes, 1, tensors)


_JSON_TYPES: Final = {Kind.NUMBER: float, Kind.INTEGER: int, Kind.STRING: str, Kind.BOOLEAN: bool}


def _json_type(feature: Feature) -> Any:  # noqa: ANN401  a type
    element: Any = _JSON_TYPES[feature.kind]
    if feature.categories:
        element = Literal[feature.categories]
    elif feature.minimum is not None or feature.maximum is not None:
        low, high = feature.minimum, feature.maximum
        if feature.kind is Kind.INTEGER:
            low, high = _within_int64(low, high)
        element = Annotated[element, msgspec.Meta(ge=low, le=high)]
    elif feature.max_length is not None:
        element = Annotated[element, msgspec.Meta(max_length=feature.max_length)]
    if feature.nullable:
        element = element | None
    if feature.strict and feature.single:
        return element
    nested = element
    for _ in range(max(1, len(feature.dims))):
        nested = types.GenericAlias(list, (nested,))
    return element | nested if feature.single else nested


def _within_int64(low: float | None, high: float | None) -> tuple[int | None, int | None]:
    """Narrow a range to what msgspec can compare with; what is outside is for the careful reader to say."""
    least, most = -(2**63), 2**63 - 1
    if (low is not None and low > most) or (high is not None and high < least):
        return 1, 0  # nothing
    # As integers, which msgspec asks for: compiled code may have made floats of them.
    lowest = None if low is None else max(math.ceil(low), least)
    return lowest, None if high is None else min(math.floor(high), most)


def _packer(slot: Slot, features: Sequence[Feature]) -> _Packer:
    datatype, nullable = slot.tensor.datatype, any(features[source].nullable for source in slot.sources)
    if slot.row:
        # attrgetter() gives a tuple, but of one attribute the value itself.
        pack_columns = partial(_pack_columns, datatype, slot.shape, len(slot.sources) == 1)
        return _with_nan(pack_columns) if nullable else pack_columns
    (feature,) = (features[source] for source in slot.sources)
    if len(feature.dims) == 1 and DYNAMIC not in feature.dims and not feature.single and datatype.value:
        pack_row = partial(_pack_row, feature.dims, struct.Struct(f"<{feature.dims[0]}{datatype.value}"))
        return _with_nan(pack_row) if nullable else pack_row
    pack_nested = partial(_pack_nested, datatype, feature.dims)
    return _with_nan(pack_nested) if nullable else pack_nested


def _pack_row(dims: tuple[int, ...], row: struct.Struct, value: list[Any], /) -> tuple[tuple[int, ...], bytes]:
    return dims, row.pack(*value)  # struct counts the elements


def _pack_columns(
    datatype: DataType,
    shape: tuple[int, ...],
    one: bool,
    value: Any,  # noqa: ANN401  decoded JSON values
    /,
) -> tuple[tuple[int, ...], bytes]:
    return shape, pack(datatype, (value,) if one else value)


def _with_nan(packer: _Packer) -> _Packer:
    return lambda value: packer(_nulls_to_nan(value))


def _nulls_to_nan(value: Any) -> Any:  # noqa: ANN401  a decoded JSON value
    if isinstance(value, list | tuple):
        return [_nulls_to_nan(item) for item in value]
    return math.nan if value is None else value


def _pack_nested(
    datatype: DataType,
    dims: tuple[int, ...],
    value: Any,  # noqa: ANN401  a decoded JSON value
    /,
) -> tuple[tuple[int, ...], bytes]:
    lists = [value if isinstance(value, list) else [value]]
    shape: list[int] = []
    for dim in dims or (1,):
        if shape:
            lists = list(chain.from_iterable(lists))
        # The lists of one level must all be as long as the first.
        lengths = set(map(len, lists))
        if len(lengths) != 1 or 0 in lengths or (dim != DYNAMIC and dim not in lengths):
            raise _MismatchError
        shape.append(lengths.pop())
    return tuple(shape) if dims else (), _pack_lists(datatype, lists, shape[-1])


def _pack_lists(datatype: DataType, lists: Sequence[list[Any]], length: int) -> bytes:
    """Encode the elements of lists of the same length."""
    if length < _LONG_LIST or not datatype.value:
        return pack(datatype, list(chain.from_iterable(lists)))
    # One by one, which takes half the time for an image: its elements are in the CPU's caches when they are packed.
    elements = struct.Struct(f"<{length}{datatype.value}")
    return b"".join([elements.pack(*each) for each in lists])
