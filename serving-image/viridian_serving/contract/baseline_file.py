"""``baseline.json`` beside the model: how features and predictions are distributed where it was trained."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from viridian_serving.codec.tensors import SchemaError
from viridian_shared.drift import ABOVE, BELOW, MISSING, OTHER, range_name

FILE: Final = "baseline.json"
MAX_CATEGORIES: Final = 10
"""Categories that have a bin each, the most frequent ones."""
_LONGEST_CATEGORY: Final = 64
_MOST_BYTES: Final = 4 * 1024 * 1024
_MOST_EDGES: Final = 20


@dataclass(frozen=True)
class Distribution:
    """One variable of the baseline, on its bins."""

    counts: Mapping[str, int]
    """Values by bin, in the order of the bins."""
    bounds: tuple[float, ...] = ()
    """Of numbers: the lowest, the lower bound of each further bin, and the highest. Empty for categories."""
    lengths: bool = False
    """Whether the numbers are lengths of texts."""


@dataclass(frozen=True)
class Baseline:
    """The whole file."""

    features: Mapping[str, Distribution]
    predictions: Mapping[str, Distribution]
    """By output, as ``label``; where an output has several numbers, as ``probabilities[0]``."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class _Numbers(_Entry):
    edges: tuple[float, ...] = Field(strict=False, max_length=_MOST_EDGES)
    counts: tuple[int, ...] = Field(strict=False)
    low: float | None
    high: float | None
    missing: int = Field(ge=0)

    @model_validator(mode="after")
    def _fits_together(self) -> "_Numbers":
        if len(self.counts) != len(self.edges) + 1:
            raise ValueError(
                f"counts must hold one more than edges, {len(self.edges) + 1}, and holds {len(self.counts)}"
            )
        if any(count < 0 for count in self.counts):
            raise ValueError("counts must be 0 or more")
        if (self.low is None or self.high is None) and any(self.counts):
            raise ValueError("low and high must be the smallest and the largest value that was counted")
        bounds = (self.low, *self.edges, self.high)
        numbers = [bound for bound in bounds if bound is not None]
        if any(before > after for before, after in pairwise(numbers)):
            raise ValueError("low, edges and high must increase")
        return self

    def distribution(self, *, lengths: bool = False) -> Distribution | None:
        if self.low is None or self.high is None or not any(self.counts):
            return None
        # Where many values are equal to the lowest, the bin below the first edge is empty.
        pairs = [(edge, count) for edge, count in zip((self.low, *self.edges), self.counts, strict=True) if count]
        bounds = (*(edge for edge, _ in pairs), self.high)
        names = [range_name(*each) for each in pairwise(bounds)]
        inside = dict(zip(names, (count for _, count in pairs), strict=True))
        return Distribution({BELOW: 0, **inside, ABOVE: 0, MISSING: self.missing}, bounds, lengths)


class _Categories(_Entry):
    categories: dict[str, int]
    missing: int = Field(ge=0)

    def distribution(self) -> Distribution:
        frequent = sorted(self.categories, key=lambda name: -self.categories[name])[:MAX_CATEGORIES]
        own = [name for name in sorted(frequent) if len(name) <= _LONGEST_CATEGORY and name not in (OTHER, MISSING)]
        missing = self.missing + self.categories.get(MISSING, 0)
        rest = sum(self.categories.values()) - sum(self.categories[name] for name in own)
        counts = {name: self.categories[name] for name in own}
        return Distribution({**counts, OTHER: rest - self.categories.get(MISSING, 0), MISSING: missing})


class _Lengths(_Entry):
    lengths: _Numbers

    def distribution(self) -> Distribution | None:
        return self.lengths.distribution(lengths=True)


_FORMS: Final[Mapping[str, type[_Numbers | _Categories | _Lengths]]] = {
    "edges": _Numbers,
    "categories": _Categories,
    "lengths": _Lengths,
}


def read_baseline(directory: Path) -> Baseline | None:
    """Read the file beside the model.

    Args:
        directory: The model's.

    Returns:
        What it says, or None when there is none.

    Raises:
        SchemaError: It cannot be read, or is no baseline.
    """
    try:
        with (directory / FILE).open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SchemaError(f"{FILE} cannot be read ({error.strerror}); make it a file that everybody may read") from None
    if len(text) > _MOST_BYTES:
        raise SchemaError(f"{FILE} has more than {_MOST_BYTES} bytes; make it anew with `viridian baseline`")
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise _fault("", f"is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise _fault("", "must be an object with rows, features and predictions")
    return Baseline(dict(_part(document, "features")), dict(_part(document, "predictions")))


def _part(document: Mapping[str, Any], part: str) -> Iterator[tuple[str, Distribution]]:
    variables = document.get(part, {})
    if not isinstance(variables, dict):
        raise _fault(part, "must be an object with one member for each variable")
    for name, entry in variables.items():
        several = isinstance(entry, list)
        for position, each in enumerate(entry if several else [entry]):
            variable = f"{name}[{position}]" if several else name
            if (found := _distribution(each, f"{part}.{variable}")) is not None:
                yield variable, found


def _distribution(entry: object, where: str) -> Distribution | None:
    form = next((form for key, form in _FORMS.items() if isinstance(entry, dict) and key in entry), None)
    if form is None:
        raise _fault(where, f"must be an object with one of {', '.join(_FORMS)}")
    try:
        return form.model_validate(entry).distribution()
    except ValidationError as error:
        problem = error.errors()[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"])
        raise _fault(f"{where}{place}", problem["msg"].removeprefix("Value error, ")) from None


def _fault(where: str, what: str) -> SchemaError:
    place = f"{FILE}: {where}" if where else FILE
    return SchemaError(f"its {place} {what}; make it anew with `viridian baseline`, or remove it")
