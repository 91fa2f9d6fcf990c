"""From the body of ``/predict`` to tensors.

Two readers of one language. The fast one (``FastReader``) is a typed decoder that knows this model's inputs, and gives
up at the first doubt; the careful one below then reads the body again and names every field that is wrong, not just the
first. What is valid is for the careful one to say.
"""

import json
import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from viridian_serving.fast_instances import FastReader
from viridian_serving.problems import Problem, Violation
from viridian_serving.schema import DYNAMIC, DataType, ModelSchema, Tensor
from viridian_serving.wire import Encoded, pack

MAX_VIOLATIONS = 100
"""Violations listed in one answer; beyond them only their number is said."""

_MISSING = object()


@dataclass(frozen=True, slots=True, eq=False)
class Instances:
    """The instances of one request."""

    encoded: list[Encoded]
    """Consecutive instances of equal shapes share one."""
    many: bool
    """Whether the body was a list of instances, so that the answer is one too."""


class InstanceReader:
    """Reads instances for one model."""

    def __init__(self, schema: ModelSchema, max_instances: int) -> None:
        """Prepare the decoders.

        Args:
            schema: What the model takes.
            max_instances: Most instances in one request.
        """
        self._schema = schema
        self._max_instances = max_instances
        self._fast = FastReader(schema)

    def read(self, body: bytes) -> Instances:
        """Read a request's body.

        Args:
            body: JSON: an object of named inputs, or a list of such objects; with a single input also its bare value,
                or a list of bare values.

        Returns:
            The encoded instances.

        Raises:
            Problem: Status 400 or 413; it names every offending field.
        """
        read = self._fast.read(body)
        if read is not None and 0 < len(read[0]) <= self._max_instances:
            instances, many = read
            return Instances(list(_grouped(instances, self._schema)) if many else instances, many)
        return self.read_carefully(body)

    def read_carefully(self, body: bytes) -> Instances:
        """Read a request's body, slowly, and find everything that is wrong with it; see read()."""
        items, many = self._split(_parse(body))
        if len(items) > self._max_instances:
            raise Problem(
                413,
                "too-many-instances",
                f"The body holds {len(items)} instances and {self._max_instances} are the most; send them in parts.",
            )
        if not items:
            raise Problem(400, "invalid-input", "The list holds no instance; send at least one.")
        violations: list[Violation] = []
        encoded = [
            self._instance(item, f"/{position}" if many else "", violations) for position, item in enumerate(items)
        ]
        if violations:
            raise Problem(
                400,
                "invalid-input",
                f"{len(violations)} value(s) of the body cannot be used; 'errors' names each.",
                violations[:MAX_VIOLATIONS],
                max(0, len(violations) - MAX_VIOLATIONS),
            )
        return Instances(list(_grouped([item for item in encoded if item is not None], self._schema)), many)

    def _split(self, document: object) -> tuple[list[Any], bool]:
        """Tell the instances apart, and whether they came as a list."""
        if isinstance(document, dict):
            return [document], False
        if isinstance(document, list):
            if all(isinstance(item, dict) for item in document):
                return document, True
            if len(self._schema.inputs) == 1:
                # A bare value has as many levels of lists as the input has dimensions; one more is a list of them.
                many = _depth(document) > max(1, len(self._schema.inputs[0].dims))
                return (document, True) if many else ([document], False)
        names = ", ".join(repr(tensor.name) for tensor in self._schema.inputs)
        raise Problem(
            400,
            "invalid-input",
            f"The body is neither an instance nor a list of instances; send an object with {names}, or a list of them.",
        )

    def _instance(self, item: object, pointer: str, violations: list[Violation]) -> Encoded | None:
        inputs = self._schema.inputs
        before = len(violations)
        if isinstance(item, dict):
            known = {tensor.name for tensor in inputs}
            violations.extend(
                Violation(_join(pointer, name), "is not an input of this model; remove it")
                for name in item
                if name not in known
            )
            values = [(tensor, _join(pointer, tensor.name), item.get(tensor.name, _MISSING)) for tensor in inputs]
        elif len(inputs) == 1:
            values = [(inputs[0], pointer, item)]
        else:
            violations.append(Violation(pointer, "must be an object with one member for each input"))
            return None
        shapes: list[tuple[int, ...]] = []
        tensors: list[bytes] = []
        for tensor, where, value in values:
            flat, shape = _flatten(tensor, value, where, violations)
            if len(violations) == before:
                shapes.append(shape)
                tensors.append(pack(tensor.datatype, flat))
        return Encoded(tuple(shapes), 1, tuple(tensors)) if len(violations) == before else None


def _parse(body: bytes) -> object:
    # Python's own parser takes NaN and Infinity, which JSON does not have. That is wanted here: the field that holds
    # one can then be named, instead of a byte offset.
    try:
        return json.loads(body)
    except RecursionError:
        raise Problem(400, "invalid-json", "The body is nested too deeply to be an instance.") from None
    except UnicodeDecodeError:
        raise Problem(400, "invalid-json", "The body is not UTF-8.") from None
    except ValueError as error:
        raise Problem(400, "invalid-json", f"The body is not JSON: {error}.") from None


def _depth(value: object) -> int:
    depth = 0
    while isinstance(value, list):
        depth += 1
        value = value[0] if value else None
    return depth


def _join(pointer: str, token: str) -> str:
    # JSON may hold half a surrogate pair, which no encoding can write down again.
    printable = token.encode("utf-8", "backslashreplace").decode()
    return f"{pointer}/{printable.replace('~', '~0').replace('/', '~1')}"


def _flatten(
    tensor: Tensor, value: object, pointer: str, violations: list[Violation]
) -> tuple[list[Any], tuple[int, ...]]:
    """Check one input and lay its elements out in a row; its shape comes with them."""
    if value is _MISSING:
        violations.append(Violation(pointer, f"is missing; it must be {_expected(tensor, tensor.dims)}"))
        return [], ()
    flat: list[Any] = []
    # A column of one value per instance needs no list.
    bare = tensor.dims in ((1,), ()) and not isinstance(value, list)
    shape = list(tensor.dims) or [1]
    _walk(tensor, value, len(shape) if bare else 0, shape, pointer, flat, violations)
    return flat, tuple(shape) if tensor.dims else ()


def _walk(
    tensor: Tensor,
    value: object,
    level: int,
    shape: list[int],
    pointer: str,
    flat: list[Any],
    violations: list[Violation],
) -> None:
    if level == len(shape):
        reason = _element_fault(tensor.datatype, value)
        if reason is None:
            flat.append(value)
        else:
            violations.append(Violation(pointer, reason))
        return
    if not isinstance(value, list):
        violations.append(Violation(pointer, f"must be {_expected(tensor, shape[level:])}, not {_name(value)}"))
        return
    if shape[level] == DYNAMIC:
        shape[level] = max(1, len(value))  # the first list decides, the others must agree; none may be empty
    if len(value) != shape[level]:
        violations.append(Violation(pointer, f"must hold {shape[level]} elements and holds {len(value)}"))
        return
    for position, item in enumerate(value):
        _walk(tensor, item, level + 1, shape, f"{pointer}/{position}", flat, violations)


def _element_fault(datatype: DataType, value: object) -> str | None:
    """Say what is wrong with an element, or nothing."""
    if datatype is DataType.BYTES:
        if not isinstance(value, str):
            return f"must be a string, not {_name(value)}"
    elif datatype is DataType.BOOL:
        if not isinstance(value, bool):
            return f"must be true or false, not {_name(value)}"
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return f"must be {datatype.element}, not {_name(value)}"
    elif isinstance(value, float) and not math.isfinite(value):
        return f"must be a finite number, not {value}"
    elif isinstance(value, float) and not datatype.is_float:
        return "must be a whole number, written without a fraction"
    try:
        pack(datatype, [value])
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is not a character"
    except (struct.error, OverflowError):
        return f"is out of the range of {datatype.name}"
    return None


def _expected(tensor: Tensor, dims: Sequence[int]) -> str:
    if not dims:
        return tensor.datatype.element
    sizes = " x ".join("any number of" if dim == DYNAMIC else str(dim) for dim in dims)
    kind = tensor.datatype.element.removeprefix("a ").replace("true or false", "boolean")
    return f"a list of {sizes} {kind}s" if len(dims) == 1 else f"nested lists of {sizes} {kind}s"


def _name(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, list):
        return "a list"
    return "an object" if isinstance(value, dict) else "a number"


def _grouped(instances: Sequence[Encoded], schema: ModelSchema) -> Iterator[Encoded]:
    """Put neighbours of equal shapes together, as many as the model takes in one call."""
    most = max(1, schema.max_batch)
    start = 0
    for end in range(1, len(instances) + 1):
        full = end - start == most
        if full or end == len(instances) or instances[end].shapes != instances[start].shapes:
            group = instances[start:end]
            columns = zip(*(item.tensors for item in group), strict=True)
            yield Encoded(group[0].shapes, len(group), tuple(b"".join(column) for column in columns))
            start = end
