"""Dashboards as Grafana reads them, made by its own library."""

import json
from itertools import count

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueGraphMode, LegendDisplayMode, LegendPlacement, StackingMode
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef, VariableRefresh

from .panels import Annotation, Board, Kind, Panel, Variable

_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_HEIGHT = 8


def render(board: Board) -> str:
    """Return a dashboard as the text of a JSON file."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .tags(["viridian"])
        .timezone("browser")
        .time("now-3h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    for variable in board.variables:
        made.with_variable(_variable(variable))
    for annotation in board.annotations:
        made.annotation(_annotation(annotation))
    numbers = count(1)
    for row in board.rows:
        made.with_row(dashboard.Row(row.title).id(next(numbers)))
        for panel in row.panels:
            drawn = _number(panel) if panel.kind is Kind.NUMBER else _lines(panel)
            made.with_panel(drawn.id(next(numbers)))
    document = json.loads(json.dumps(made.build(), cls=JSONEncoder))
    # What the data source Prometheus calls them; the library has only what all data sources have.
    for written, annotation in zip(document["annotations"].get("list", ()), board.annotations, strict=True):
        written["titleFormat"] = annotation.title
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def _variable(variable: Variable) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(variable.name)
        .label(variable.label)
        .datasource(_SOURCE)
        .query(variable.query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )


def _annotation(annotation: Annotation) -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name(annotation.name)
        .datasource(_SOURCE)
        .enable(True)
        .icon_color("blue")
        .expr(annotation.expr)
    )


def _queries(panel: Panel) -> list[prometheus.Dataquery]:
    return [
        prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(chr(ord("A") + number))
        for number, query in enumerate(panel.queries)
    ]


def _lines(panel: Panel) -> timeseries.Panel:
    stacked = StackingMode.NORMAL if panel.kind is Kind.STACK else StackingMode.NONE
    made = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.description)
        .datasource(_SOURCE)
        .unit(panel.unit.value)
        .span(panel.width)
        .height(_HEIGHT)
        .fill_opacity(20 if panel.kind is Kind.STACK else 0)
        .stacking(common.StackingConfig().mode(stacked))
        .legend(common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM))
    )
    if not panel.signed:
        made.min(0)
    for query in _queries(panel):
        made.with_target(query)
    return made


def _number(panel: Panel) -> stat.Panel:
    made = (
        stat.Panel()
        .title(panel.title)
        .description(panel.description)
        .datasource(_SOURCE)
        .unit(panel.unit.value)
        .span(panel.width)
        .height(_HEIGHT // 2)
        .graph_mode(BigValueGraphMode.AREA)
    )
    for query in _queries(panel):
        made.with_target(query)
    return made
