"""The features of schema.yaml, learnt from the sample."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from viridian_import.learn.ranges import bounds_of
from viridian_import.learn.sensitive import looks_sensitive
from viridian_import.learn.typical import categories_of, typical
from viridian_import.messages import Column
from viridian_import.sample.table import Table
from viridian_serving.codec.tensors import Kind


@dataclass(frozen=True)
class Draft:
    """One feature."""

    name: str
    kind: Kind
    low: float | None
    high: float | None
    categories: tuple[str, ...]
    """Different strings of the sample, where they are few, or nothing else is let in."""
    closed: bool
    """Whether nothing but the categories is let in: the model fails what it has not seen."""
    missing: int
    """Rows of the sample without a value."""
    nullable: bool
    """Whether null stands for a missing value."""
    empty: bool
    """Whether the empty string does: strings have no null."""
    sensitive: bool
    example: Any
    seen: tuple[float, float] | None
    """Lowest and highest number of the sample."""


def draft(features: Table, closed: Collection[str], refused_missing: Collection[str]) -> list[Draft]:
    """Learn the features.

    Args:
        features: Of the sample.
        closed: Those of which the model fails a category that it has not seen.
        refused_missing: Those of which the model fails a missing value.

    Returns:
        One for each, in their order.
    """
    return [_draft(each, each.name in closed, each.name in refused_missing) for each in features.columns]


def _draft(column: Column, closed: bool, refuses_missing: bool) -> Draft:
    numeric = column.kind in (Kind.NUMBER, Kind.INTEGER)
    values = [value for value in column.values if value is not None]
    bounds = bounds_of(values) if numeric else None
    missing = len(column.values) - len(values)
    return Draft(
        name=column.name,
        kind=column.kind,
        low=bounds[0] if bounds else None,
        high=bounds[1] if bounds else None,
        categories=tuple(sorted(set(values)) if closed else categories_of(column)),
        closed=closed,
        missing=missing,
        nullable=bool(missing) and not refuses_missing and column.kind is not Kind.STRING,
        empty=not refuses_missing and column.kind is Kind.STRING,
        sensitive=looks_sensitive(column.name),
        example=typical(column),
        seen=(min(values), max(values)) if numeric and values else None,
    )
