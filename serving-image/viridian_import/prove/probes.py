"""Rows that the sample lacks: missing values, extreme ones, and categories that nobody has seen."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from viridian_import.learn.ranges import bounds_of
from viridian_import.learn.typical import typical_row
from viridian_import.sample.table import Table
from viridian_serving.codec.tensors import Kind

UNSEEN: Final = "unseen-category"
_MOST_GOLDEN: Final = 50
"""Rows of the sample that become golden requests."""


class Case(StrEnum):
    """Why a row is asked."""

    SAMPLE = "sample"
    GOLDEN = "golden"
    MISSING = "missing"
    EXTREME = "extreme"
    UNSEEN = "unseen"


@dataclass(frozen=True)
class Probe:
    """One row."""

    case: Case
    name: str
    """For people, such as "row 17 of the sample" or "age is missing"."""
    feature: str = ""
    """The one that is out of the ordinary."""


@dataclass(frozen=True)
class Trial:
    """All rows that both models are asked, and what each is for."""

    table: Table
    probes: tuple[Probe, ...]

    def counts(self, rows: Collection[int]) -> dict[str, int]:
        """Return how many of these rows are of each case, for the cases that there are."""
        found = Counter(self.probes[row].case for row in rows)
        return {str(case): found[case] for case in Case if found[case]}

    def rows(self, *cases: Case) -> list[int]:
        """Return the rows of these cases."""
        return [row for row, probe in enumerate(self.probes) if probe.case in cases]


def without_each(features: Table) -> Table:
    """Return a typical row for each feature, in which that one is missing."""
    middle = typical_row(features)
    return features.take([]).with_rows([middle | {name: None} for name in features.names])


def trial_of(features: Table, sensitive: Collection[str], empty: Collection[str]) -> Trial:
    """Make the rows.

    Args:
        features: Of the sample: all of its rows come first.
        sensitive: Features whose values are replaced in golden rows, as these leave this machine.
        empty: Those for which the empty string says that a value is missing.

    Returns:
        The rows.
    """
    middle = typical_row(features)
    sample = [Probe(Case.SAMPLE, f"row {row + 1} of the sample") for row in range(features.rows)]
    hidden = {name: middle[name] for name in sensitive}
    golden = [
        (Probe(Case.GOLDEN, f"like row {row + 1} of the sample"), features.row(row) | hidden)
        for row in _spread(features.rows, _MOST_GOLDEN)
    ]
    odd = [(probe, middle | {probe.feature: value}) for probe, value in _odd(features, empty)]
    more = [*golden, *odd]
    return Trial(features.with_rows([row for _, row in more]), (*sample, *(probe for probe, _ in more)))


def _odd(features: Table, empty: Collection[str]) -> Iterator[tuple[Probe, Any]]:
    for column in features.columns:
        yield Probe(Case.MISSING, f"{column.name} is missing", column.name), None
        if column.kind is Kind.STRING:
            yield Probe(Case.UNSEEN, f"{column.name} is {UNSEEN!r}", column.name), UNSEEN
            if column.name not in empty:
                yield Probe(Case.EXTREME, f"{column.name} is empty", column.name), ""
        if column.kind in (Kind.NUMBER, Kind.INTEGER):
            bounds = bounds_of([value for value in column.values if value is not None])
            for bound in bounds or ():
                value = int(bound) if column.kind is Kind.INTEGER else bound
                yield Probe(Case.EXTREME, f"{column.name} is {value:g}", column.name), value


def _spread(rows: int, most: int) -> list[int]:
    """Return at most so many rows, spread evenly."""
    return sorted({rows * i // most for i in range(most)}) if rows > most else list(range(rows))
