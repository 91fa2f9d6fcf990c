"""Large lists of floats in the body of ``/predict``, such as an image: read without a Python object for each float.

simdjson gives all numbers of a list as one array, but not its shape, so lists and brackets are counted here. Whatever
is not exactly one input of floats in its shape is left to the other readers: this one never says what is wrong.
"""

from collections.abc import Iterable
from itertools import chain
from math import prod
from typing import Any, Final

import numpy as np
import simdjson

from viridian_serving.codec.features import Feature
from viridian_serving.codec.oip import Encoded
from viridian_serving.codec.tensors import DYNAMIC

_ERRORS: Final = (ValueError, TypeError, LookupError, RuntimeError)
"""By which simdjson refuses a body or an element; a RuntimeError is for what is too deep, or an integer too large."""


class _MismatchError(ValueError):
    """The body is JSON, and not what the input asks for."""


class ArrayReader:
    """Reads bodies for a model with one input of floats."""

    def __init__(self, feature: Feature) -> None:
        """Prepare.

        Args:
            feature: The input. Its elements may not be null, and its name has no bracket and nothing that JSON escapes.
        """
        self._feature = feature
        self._dtype = np.dtype(f"<f{feature.datatype.size}")
        self._least = 2 * prod(max(dim, 1) for dim in feature.dims)  # bytes of an instance

    def read(self, body: bytes, *, named: bool, many: bool) -> list[Encoded] | None:
        """Read a body.

        Args:
            body: See InstanceReader.read().
            named: Whether an instance begins as an object does.
            many: Whether the body begins as a list of instances does.

        Returns:
            The instances, each by itself; None when the body is for the other readers.
        """
        if not body.isascii():  # the name, or not JSON
            return None
        try:
            # A new parser for each body: simdjson reuses one only when nothing that it returned is in use any more.
            document: Any = simdjson.Parser().parse(body)
            if many and len(document) * self._least > len(body):
                return None
            values = [self._value(item, named=named) for item in (document if many else (document,))]
            shapes = [self._shape(value) for value in values]
            # Nothing but the lists that were counted: an element of the last level is no list, nor is there any beside.
            brackets = np.count_nonzero(np.frombuffer(body, np.uint8) == ord("["))
            if brackets != many + sum(map(_lists, shapes)):
                return None
            return [self._encoded(value, shape) for value, shape in zip(values, shapes, strict=True)]
        except _ERRORS:
            return None

    def _value(self, item: Any, *, named: bool) -> "simdjson.Array":  # noqa: ANN401  an element of a document
        if named:
            if not isinstance(item, simdjson.Object) or len(item) != 1:  # members that are there twice count twice
                raise _MismatchError
            item = item[self._feature.name]
        if not isinstance(item, simdjson.Array):
            raise _MismatchError
        return item

    def _shape(self, value: "simdjson.Array") -> tuple[int, ...]:
        level: Iterable[Any] = (value,)
        shape: list[int] = []
        dims = self._feature.dims
        if self._feature.boxed and _depth(value) > len(dims):
            dims = (1, *dims)
        for dim in dims:
            if shape:
                level = chain.from_iterable(level)
            if len(shape) < len(dims) - 1:
                level = list(level)
            # The lists of one level must all be as long as the first.
            lengths = set(map(len, level))
            if len(lengths) != 1 or 0 in lengths or (dim != DYNAMIC and dim not in lengths):
                raise _MismatchError
            shape.append(lengths.pop())
        return tuple(shape)

    def _encoded(self, value: "simdjson.Array", shape: tuple[int, ...]) -> Encoded:
        numbers = np.frombuffer(value.as_buffer(of_type="d"))
        if len(numbers) != prod(shape):  # simdjson counts to 2**24 only
            raise _MismatchError
        low, high = self._feature.minimum, self._feature.maximum
        if (low is not None and numbers.min() < low) or (high is not None and numbers.max() > high):
            raise _MismatchError
        with np.errstate(over="ignore"):
            elements = numbers.astype(self._dtype)
        if not np.isfinite(elements).all():  # out of the type's range
            raise _MismatchError
        return Encoded((shape[-len(self._feature.dims) :],), 1, (elements.tobytes(),))


def _depth(value: Any) -> int:  # noqa: ANN401  an element of a document
    """Return in how many lists the first element stands."""
    depth = 0
    while isinstance(value, simdjson.Array):
        depth += 1
        value = value[0] if len(value) else None
    return depth


def _lists(shape: tuple[int, ...]) -> int:
    """Return how many lists a shape is made of."""
    lists, total = 1, 0
    for size in shape:
        total += lists
        lists *= size
    return total
