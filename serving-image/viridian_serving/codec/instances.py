"""From the body of ``/predict`` to tensors.

Two readers of one language. The fast one (``FastReader``) is a typed decoder that knows this model's inputs, and gives
up at the first doubt; the careful one below then reads the body again and names every field that is wrong, not just the
first. What is valid is for the careful one to say.
"""

import math
import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from viridian_serving.codec.fast_instances import FastReader, bare_depth
from viridian_serving.codec.features import Feature, RequestSchema, name_of
from viridian_serving.codec.json_reading import parse
from viridian_serving.codec.oip import Encoded, pack
from viridian_serving.codec.tensors import DYNAMIC, Kind
from viridian_serving.http1.problems import Problem, Violation

MAX_VIOLATIONS = 100
"""Violations listed in one answer; beyond them only their number is said."""

_MISSING = object()
_UNKNOWN = "is not an input of this model; remove it"
_WRAPPERS = frozenset(("instances", "inputs", "data", "dataframe_records", "dataframe_split", "predict", "features"))
"""Members around instances in the languages of other servers."""
_UNKNOWN_WRAPPER = (
    "is not an input of this model; send the instance itself, or a list of instances, with nothing around it"
)


class Violations:
    """What is wrong with a body: the first of it, and how much there is. A body has room for millions of mistakes."""

    def __init__(self) -> None:
        self.listed: list[Violation] = []
        self.number = 0

    def add(self, pointer: str, detail: str) -> None:
        """Record one."""
        self.number += 1
        if len(self.listed) < MAX_VIOLATIONS:
            self.listed.append(Violation(pointer, detail))

    def add_members(self, pointer: str, names: Sequence[str], detail: str) -> None:
        """Record the same of many members of an object."""
        for name in names[:MAX_VIOLATIONS]:
            self.add(join(pointer, name), detail)
        self.number += max(0, len(names) - MAX_VIOLATIONS)


_Values = list[tuple[list[Any], tuple[int, ...]]]
"""For every feature its elements in a row, and the shape that they came in."""


class Instances(NamedTuple):
    """The instances of one request."""

    encoded: list[Encoded]
    """Consecutive instances of equal shapes share one."""
    many: bool
    """Whether the body was a list of instances, so that the answer is one too."""


class InstanceReader:
    """Reads instances for one model."""

    def __init__(self, schema: RequestSchema, max_instances: int) -> None:
        """Prepare the decoders.

        Args:
            schema: What an instance is.
            max_instances: Most instances in one request.
        """
        self._schema = schema
        self._known = frozenset(feature.name for feature in schema.features)
        self._max_instances = max_instances
        self._fast = FastReader(schema)

    def read(self, body: bytes) -> Instances:
        """Read a request's body.

        Args:
            body: JSON: an object of named features, or a list of such objects; with a single feature also its bare
                value, or a list of bare values.

        Returns:
            The encoded instances.

        Raises:
            Problem: Status 400 or 413; it names every offending field.
        """
        instances = self.read_fast(body)
        return self.read_carefully(body) if instances is None else instances

    def read_fast(self, body: bytes) -> Instances | None:
        """Read a request's body if it is plainly valid; see read()."""
        read = self._fast.read(body)
        if read is None or not 0 < len(read[0]) <= self._max_instances:
            return None
        instances, many = read
        return Instances(list(grouped(instances, self._schema.max_batch)) if many else instances, many)

    def read_carefully(self, body: bytes) -> Instances:
        """Read a request's body, slowly, and find everything that is wrong with it; see read()."""
        _, values, many = self._checked(body)
        return Instances(list(grouped([self._encoded(each) for each in values], self._schema.max_batch)), many)

    def items(self, body: bytes) -> tuple[list[dict[str, Any]], bool]:
        """Read a request's body and do not encode it.

        Args:
            body: See read().

        Returns:
            The instances, equal for bodies that mean the same, and whether they came as a list.

        Raises:
            Problem: See read().
        """
        items, _, many = self._checked(body)
        features = self._schema.features
        named = [item if isinstance(item, dict) else {features[0].name: item} for item in items]
        return [{each.name: each.canonical(item[each.name]) for each in features} for item in named], many

    def encode(self, item: object) -> tuple[Encoded | None, list[Violation]]:
        """Encode one instance that is no JSON any more.

        Args:
            item: An object of named features.

        Returns:
            The instance, or None and what is wrong with it.
        """
        violations = Violations()
        values = self._instance(item, "", violations)
        return (None if violations.number else self._encoded(values)), violations.listed

    def _checked(self, body: bytes) -> tuple[list[Any], list[_Values], bool]:
        """Find everything that is wrong with a body; gives the instances as they came, and their elements."""
        items, many = self._split(parse(body))
        if len(items) > self._max_instances:
            raise Problem(
                413,
                "too-many-instances",
                f"The body holds {len(items)} instances, more than the limit of {self._max_instances}; send them in"
                " parts.",
            )
        if not items:
            raise Problem(400, "invalid-input", "The list holds no instance; send at least one.")
        violations = Violations()
        values = [
            self._instance(item, f"/{position}" if many else "", violations) for position, item in enumerate(items)
        ]
        if violations.number:
            raise invalid(violations.listed, violations.number)
        return items, values, many

    def _split(self, document: object) -> tuple[list[Any], bool]:
        """Return the instances apart, and whether they came as a list."""
        features = self._schema.features
        if isinstance(document, dict):
            return [document], False
        if isinstance(document, list):
            if all(isinstance(item, dict) for item in document):
                return document, True
            if len(features) == 1:
                # A bare value has as many levels of lists as the feature has dimensions; one more is a list of them.
                many = depth_of(document) > bare_depth(features[0])
                return (document, True) if many else ([document], False)
        elif len(features) == 1 and features[0].strict and features[0].single:
            return [document], False
        names = ", ".join(repr(feature.name) for feature in features)
        raise Problem(
            400,
            "invalid-input",
            f"The body is neither an instance nor a list of instances; send an object with {names}, or a list of them.",
        )

    def _instance(self, item: object, pointer: str, violations: Violations) -> _Values:
        features = self._schema.features
        if isinstance(item, dict):
            for name in item:
                if name not in self._known:
                    violations.add(join(pointer, name), _UNKNOWN_WRAPPER if name in _WRAPPERS else _UNKNOWN)
            values = [(each, join(pointer, each.name), item.get(each.name, _MISSING)) for each in features]
        elif len(features) == 1:
            values = [(features[0], pointer, item)]
        else:
            violations.add(pointer, "must be an object with one member for each input")
            return []
        return [_flatten(each, value, where, violations) for each, where, value in values]

    def _encoded(self, values: _Values) -> Encoded:
        shapes: list[tuple[int, ...]] = []
        tensors: list[bytes] = []
        for slot in self._schema.slots:
            flat, shape = values[slot.sources[0]]
            if slot.row:
                flat, shape = [values[source][0][0] for source in slot.sources], slot.shape
            shapes.append(shape)
            tensors.append(pack(slot.tensor.datatype, flat))
        return Encoded(tuple(shapes), 1, tuple(tensors))


def invalid(violations: Sequence[Violation], number: int | None = None) -> Problem:
    """Make the problem of a body that cannot be used.

    Args:
        violations: What is wrong with it.
        number: How much is, if not all of it is there.
    """
    number = len(violations) if number is None else number
    listed = violations[:MAX_VIOLATIONS]
    return Problem(
        400,
        "invalid-input",
        f"{number} value(s) of the body cannot be used; 'errors' names each.",
        listed,
        number - len(listed),
    )


def depth_of(value: object) -> int:
    """Return in how many lists the first value stands."""
    depth = 0
    while isinstance(value, list):
        depth += 1
        value = value[0] if value else None
    return depth


def join(pointer: str, token: str) -> str:
    """Lengthen a JSON pointer by a member's name."""
    # JSON may hold half a surrogate pair, which no encoding can write down again.
    printable = token.encode("utf-8", "backslashreplace").decode()
    return f"{pointer}/{printable.replace('~', '~0').replace('/', '~1')}"


def _flatten(
    feature: Feature, value: object, pointer: str, violations: Violations
) -> tuple[list[Any], tuple[int, ...]]:
    """Check one feature and lay its elements out in a row; its shape comes with them."""
    if value is _MISSING:
        violations.add(pointer, f"is missing; it must be {feature.expected()}")
        return [], ()
    flat: list[Any] = []
    # A column of one value per instance needs no list.
    bare = feature.single and (feature.strict or not isinstance(value, list))
    if feature.boxed and isinstance(value, list) and len(value) == 1 and depth_of(value) == len(feature.dims) + 1:
        value = value[0]
    shape = list(feature.dims) or [1]
    _walk(feature, value, len(shape) if bare else 0, shape, pointer, flat, violations)
    return flat, tuple(shape) if feature.dims else ()


def _walk(
    feature: Feature,
    value: object,
    level: int,
    shape: list[int],
    pointer: str,
    flat: list[Any],
    violations: Violations,
) -> None:
    if level == len(shape):
        reason = feature.fault(value)
        if reason is None:
            flat.append(math.nan if value is None else feature.canonical(value))
        else:
            violations.add(pointer, reason)
        return
    if not isinstance(value, list):
        violations.add(pointer, f"must be {feature.expected(shape[level:])}, not {name_of(value)}")
        return
    if shape[level] == DYNAMIC:
        shape[level] = max(1, len(value))  # the first list decides, the others must agree; none may be empty
    if len(value) != shape[level]:
        violations.add(pointer, f"must hold {shape[level]} elements and holds {len(value)}")
        return
    if level == len(shape) - 1 and _is_plain(feature, value):
        flat.extend(map(float, value))
        return
    for position, item in enumerate(value):
        _walk(feature, item, level + 1, shape, f"{pointer}/{position}", flat, violations)


def _is_plain(feature: Feature, row: list[Any]) -> bool:
    """Whether a row holds nothing but numbers that a feature takes. Images have many, and one by one takes seconds."""
    if feature.ruled or feature.kind is not Kind.NUMBER or not set(map(type, row)) <= {float, int}:
        return False
    try:
        pack(feature.datatype, row)
        return math.isfinite(sum(row))
    except (struct.error, OverflowError):
        return False


def grouped(instances: Sequence[Encoded], max_batch: int) -> Iterator[Encoded]:
    """Put neighbours of equal shapes together, as many as the model takes in one call."""
    most = max(1, max_batch)
    start = 0
    for end in range(1, len(instances) + 1):
        full = end - start == most
        if full or end == len(instances) or instances[end].shapes != instances[start].shapes:
            group = instances[start:end]
            columns = zip(*(item.tensors for item in group), strict=True)
            yield Encoded(group[0].shapes, len(group), tuple(b"".join(column) for column in columns))
            start = end
