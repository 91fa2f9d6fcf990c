"""Dashboards as data: what is shown, and by which queries."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a panel shows its queries."""

    LINES = "lines"
    STACK = "stack"
    NUMBER = "number"


class Unit(StrEnum):
    """Units, by their names in Grafana."""

    PER_SECOND = "reqps"
    EACH_SECOND = "cps"
    SHARE = "percentunit"
    SECONDS = "s"
    BYTES = "bytes"
    NUMBER = "short"


@dataclass(frozen=True)
class Query:
    """One expression of PromQL, and how its series are called."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One picture of a dashboard."""

    title: str
    unit: Unit
    queries: tuple[Query, ...]
    kind: Kind = Kind.LINES
    description: str = ""
    width: int = 8
    """Of 24."""
    signed: bool = False
    """Whether values below zero have a meaning."""


@dataclass(frozen=True)
class Row:
    """Panels that belong together, under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """What people choose at the top: a value of a label."""

    name: str
    label: str
    query: str


@dataclass(frozen=True)
class Annotation:
    """Moments that are marked in every panel."""

    name: str
    expr: str
    title: str


@dataclass(frozen=True)
class Board:
    """A dashboard."""

    uid: str
    title: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    annotations: tuple[Annotation, ...] = ()

    def queries(self) -> Iterator[tuple[str, str]]:
        """Return the title and the expression of each query of each panel."""
        for row in self.rows:
            for panel in row.panels:
                for query in panel.queries:
                    yield panel.title, query.expr


NAMESPACE = Variable("namespace", "Namespace", "label_values(viridian_ready, model_namespace)")
MODEL = Variable("model", "Model", 'label_values(viridian_ready{model_namespace="$namespace"}, model)')
CHOSEN = 'model_namespace="$namespace", model="$model"'
"""Labels of the chosen model."""
