"""What clients send: the features of an instance, and how the model's inputs are made of them.

Without a ``schema.yaml`` every input of the model is a feature.
"""

import hashlib
import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from viridian_serving.codec.oip import pack
from viridian_serving.codec.tensors import DYNAMIC, DataType, Kind, ModelSchema, Tensor

Element = float | int | str | bool | None
_MISSING_HINT: Final = "; where values may be missing, nullable: true in schema.yaml lets null through as NaN"
_ZEROS: Final = {Kind.NUMBER: 0.0, Kind.INTEGER: 0, Kind.STRING: "", Kind.BOOLEAN: False}
_ONES: Final = {Kind.NUMBER: 1.0, Kind.INTEGER: 1, Kind.STRING: "1", Kind.BOOLEAN: True}


@dataclass(frozen=True)
class Feature:
    """One member of an instance."""

    name: str
    kind: Kind
    datatype: DataType
    """What its elements are packed as."""
    dims: tuple[int, ...] = ()
    """Shape of its value; DYNAMIC where any length will do."""
    strict: bool = True
    """Whether a single element comes bare; else a list of one is the same."""
    boxed: bool = False
    """Whether a list of nothing but the value is the same, as in the model itself, which is made for a batch of one."""
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str | int, ...] = ()
    """What an element may be; empty for anything."""
    max_length: int | None = None
    """Of a string, in characters."""
    nullable: bool = False
    """Whether null may stand for an element that is not known. The model gets NaN."""
    sensitive: bool = False
    """Whether it must not be written where addresses and logs are kept."""
    unit: str = ""
    description: str = ""
    example: Any = None

    @classmethod
    def of(cls, tensor: Tensor, *, boxed: bool = False) -> "Feature":
        """Take an input of the model as it is."""
        boxed = boxed and bool(tensor.dims) and tensor.dims != (1,)
        return cls(tensor.name, tensor.datatype.kind, tensor.datatype, tensor.dims, strict=False, boxed=boxed)

    @property
    def single(self) -> bool:
        """Whether its value is one element."""
        return not self.dims or (self.dims == (1,) and not self.strict)

    def sample(self) -> Any:  # noqa: ANN401  a JSON value
        """Give a value that it takes: its example, or one that is made up."""
        return self.example if self.example is not None else self.made_up(self.dims)

    @property
    def ruled(self) -> bool:
        """Whether it takes less than its type has."""
        bounds = (self.minimum, self.maximum, self.max_length)
        return bool(self.categories) or any(bound is not None for bound in bounds)

    def made_up(self, shape: Sequence[int], *, one: bool = False) -> Any:  # noqa: ANN401  a JSON value
        """Make a value that keeps to the rules.

        Args:
            shape: Its shape; what is open is taken for 1.
            one: Whether it is to hold ones rather than zeros, if it may.
        """
        value: Any = _ONES[self.kind] if one else _ZEROS[self.kind]
        low, high = self.minimum, self.maximum
        if self.categories:
            value = self.categories[-1 if one else 0]
        elif low is not None and high is not None:
            value = (low + high) // 2 if self.kind is Kind.INTEGER else (low + high) / 2
        elif low is not None or high is not None:
            value = low if low is not None else high
        for size in reversed(() if self.single else shape):
            value = [value] * (1 if size == DYNAMIC else size)
        return value

    def canonical(self, value: Any) -> Any:  # noqa: ANN401  a JSON value
        """Write a value as others write it that mean the same.

        Args:
            value: One without a fault, or a list of them.
        """
        if isinstance(value, list):
            return [self.canonical(item) for item in value]
        if value is None or self.kind in (Kind.STRING, Kind.BOOLEAN):
            return value
        # To JSON Schema 44.0 is a whole number, and a column of pandas that lacks a value writes all of them so.
        return int(value) if self.kind is Kind.INTEGER else float(value)

    def fault(self, value: object) -> str | None:
        """Say what is wrong with an element.

        Args:
            value: As JSON has it.

        Returns:
            The end of a sentence that begins with the element, or None when it can be used.
        """
        if value is None and self.nullable:
            return None
        return self._type_fault(value) or self._rule_fault(value) or self._packing_fault(value)

    def _type_fault(self, value: object) -> str | None:
        if self.kind is Kind.STRING:
            fits = isinstance(value, str)
        elif self.kind is Kind.BOOLEAN:
            fits = isinstance(value, bool)
        else:
            fits = isinstance(value, int | float) and not isinstance(value, bool)
        if not fits:
            hint = _MISSING_HINT if value is None and self.datatype.is_float else ""
            return f"must be {self._one()}, not {name_of(value)}{hint}"
        if isinstance(value, float) and not math.isfinite(value):
            return f"must be a finite number, not {value}"
        if isinstance(value, float) and self.kind is Kind.INTEGER and not value.is_integer():
            return f"must be a whole number, not {value}"
        return None

    def _rule_fault(self, value: Any) -> str | None:  # noqa: ANN401  a JSON value of the right kind
        if self.categories and value not in self.categories:
            return f"must be {one_of(self.categories)}"
        if self.minimum is not None and value < self.minimum:
            return f"must be {written(self.minimum)}{self._in_units()} or more, and is {written(value)}"
        if self.maximum is not None and value > self.maximum:
            return f"must be {written(self.maximum)}{self._in_units()} or less, and is {written(value)}"
        if self.max_length is not None and len(value) > self.max_length:
            return f"must have at most {self.max_length} characters, and has {len(value)}"
        return None

    def _packing_fault(self, value: Any) -> str | None:  # noqa: ANN401  a JSON value of the right kind
        try:
            pack(self.datatype, [self.canonical(value)])
        except UnicodeEncodeError:
            return "holds half of a surrogate pair, which is not a character"
        except (struct.error, OverflowError):
            return f"is out of the range of {self.datatype.name}"
        return None

    def expected(self, dims: Sequence[int] | None = None) -> str:
        """Say what the value must be.

        Args:
            dims: The shape that is left below a level of lists; by default all of it.
        """
        dims = (() if self.single else self.dims) if dims is None else dims
        if not dims:
            return self._one()
        sizes = " x ".join("any number of" if dim == DYNAMIC else str(dim) for dim in dims)
        elements = self.kind.one.removeprefix("a ").replace("true or false", "boolean")
        return f"a list of {sizes} {elements}s" if len(dims) == 1 else f"nested lists of {sizes} {elements}s"

    def _one(self) -> str:
        return f"{self.kind.one} or null" if self.nullable else self.kind.one

    def _in_units(self) -> str:
        return f" {self.unit}" if self.unit else ""


@dataclass(frozen=True)
class Slot:
    """How one input of the model is made."""

    tensor: Tensor
    sources: tuple[int, ...]
    """Positions of the features that go into it."""
    row: bool = False
    """Whether each of them is one column of it; else it is the only one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a row."""
        return (len(self.sources),)

    @property
    def width(self) -> int | None:
        """Elements of a row; None where requests may differ in it."""
        return len(self.sources) if self.row else self.tensor.elements


@dataclass(frozen=True)
class RequestSchema:
    """What an instance is, and what becomes of it."""

    features: tuple[Feature, ...]
    slots: tuple[Slot, ...]
    """For every input of the model, in its order; none where ``preprocess.py`` makes the inputs."""
    max_batch: int
    declared: bool = False
    """Whether a schema.yaml says so, and not the model itself."""

    @classmethod
    def of(cls, model: ModelSchema, *, nullable: bool = False) -> "RequestSchema":
        """Take the model's inputs as they are.

        Args:
            model: Whose.
            nullable: Whether inputs of floating-point numbers may hold nulls.
        """
        features = [Feature.of(tensor, boxed=model.of_one) for tensor in model.inputs]
        if nullable:
            features = [replace(each, nullable=each.datatype.is_float) for each in features]
        slots = tuple(Slot(tensor, (i,)) for i, tensor in enumerate(model.inputs))
        return cls(tuple(features), slots, model.max_batch)

    @cached_property
    def fingerprint(self) -> str:
        """``sha256:…`` of names, types and shapes of features, and of the inputs that they go to.

        Ranges are left out: a retrained model's differ a little, and what one refuses it says itself.
        """
        features = sorted((each.name, each.kind, each.dims, each.nullable) for each in self.features)
        inputs = [(each.tensor.name, each.tensor.datatype.name, each.tensor.dims) for each in self.slots]
        canonical = json.dumps([self.max_batch > 0, features, sorted(inputs)], separators=(",", ":"))
        return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def one_of(values: Sequence[object], most: int = 10) -> str:
    """List what something may be, and not more than a person reads."""
    shown = [json.dumps(value, ensure_ascii=False) for value in values[:most]]
    if len(values) > most:
        return f"one of {', '.join(shown)} and {len(values) - most} more, which /schema lists"
    return shown[0] if len(shown) == 1 else f"one of {', '.join(shown)}"


def name_of(value: object) -> str:
    """What a person calls a JSON value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, list):
        return "a list"
    return "an object" if isinstance(value, dict) else "a number"


def written(number: float) -> str:
    """Write a number as people do. An integer of JSON may have thousands of digits."""
    if isinstance(number, int) or number.is_integer():
        return str(int(number)) if abs(number) < 10**15 else "far beyond it"
    return repr(number)
