"""Values of a tensor in JSON, nested however a client likes, as bytes; and what is wrong with JSON, by its place."""

import re
import struct
from collections.abc import Mapping
from functools import cache
from itertools import chain
from typing import Any, Final

import msgspec

from viridian_serving.codec.instances import Violations, depth_of, join
from viridian_serving.codec.json_reading import MOST_LEVELS, too_deep
from viridian_serving.codec.oip import pack
from viridian_serving.codec.tensors import DataType, Kind

_BEGINNING: Final = b" \t\r\n["
"""What may stand before the first value of a tensor."""
_PATH: Final = re.compile(r" - at `(?P<path>[^`]*)`$")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_UNLIKE: Final = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_MISSING: Final = re.compile(r"Object missing required field `([^`]*)`")
JSON_NAMES: Final = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "object": "an object",
    "str": "a string",
}
_JSON_TYPES: Final[Mapping[Kind, type]] = {Kind.NUMBER: float, Kind.INTEGER: int, Kind.STRING: str, Kind.BOOLEAN: bool}


def add_error(error: Exception, where: str, violations: Violations) -> None:
    """Record what msgspec says, with its path as a JSON pointer."""
    text = str(error)
    found = _PATH.search(text)
    if found is not None:
        text = text[: found.start()]
        for name, index in _STEP.findall(found["path"]):
            where = join(where, name or index)
    if (unlike := _UNLIKE.fullmatch(text)) is not None:
        wanted, got = (
            " or ".join(JSON_NAMES.get(each, each) for each in kinds.split(" | ")) for kinds in unlike.groups()
        )
        text = f"must be {wanted}, not {got}"
    elif (missing := _MISSING.fullmatch(text)) is not None:
        where, text = join(where, missing[1]), "is missing"
    violations.add(where, text)


def packed(data: Any, datatype: DataType, elements: int, where: str, violations: Violations) -> bytes:  # noqa: ANN401
    """Make bytes of a tensor's values."""
    kind = _JSON_TYPES[datatype.kind]
    text = bytes(data) if isinstance(data, msgspec.Raw) else None
    # Each comma of numbers stands between two of them or two lists of them: they are counted before any is made.
    if text is not None and kind is not str and elements and (there := text.count(b",") + 1) != elements:
        violations.add(where, f"holds {there} values, and the shape asks for {elements}")
        return b""
    depth = depth_of(data) if text is None else text[: len(text) - len(text.lstrip(_BEGINNING))].count(b"[")
    if depth > MOST_LEVELS:
        raise too_deep()
    try:
        nested = msgspec.convert(data, _lists(kind, depth)) if text is None else _decoder(kind, depth).decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        add_error(error, where, violations)
        return b""
    flat = nested
    for _ in range(depth - 1):
        flat = list(chain.from_iterable(flat))
    if len(flat) != elements:
        violations.add(where, f"holds {len(flat)} values, and the shape asks for {elements}")
        return b""
    try:
        return pack(datatype, flat)
    except (struct.error, OverflowError, UnicodeEncodeError):
        position = next(i for i, value in enumerate(flat) if not _fits(datatype, value))
        violations.add(where, f"value {position} is none of {datatype.name}")
        return b""


def _fits(datatype: DataType, value: Any) -> bool:  # noqa: ANN401  an element
    try:
        pack(datatype, [value])
    except (struct.error, OverflowError, UnicodeEncodeError):
        return False
    return True


def _lists(kind: type, depth: int) -> Any:  # noqa: ANN401  a type
    nested: Any = list[kind]  # type: ignore[valid-type]
    for _ in range(depth - 1):
        nested = list[nested]
    return nested


@cache
def _decoder(kind: type, depth: int) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_lists(kind, depth))
