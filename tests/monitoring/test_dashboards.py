"""Dashboards say what they show, by series that exist."""

import json
import re

import pytest

from viridian.monitoring.dashboards.boards import boards
from viridian.monitoring.dashboards.grafana import render
from viridian.monitoring.dashboards.panels import Board
from viridian.monitoring.groups import files
from viridian.monitoring.rule import Recording

RECORDED = {
    rule.name for groups in files().values() for group in groups for rule in group.rules if isinstance(rule, Recording)
}
BOARDS = boards()


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_each_panel_has_its_queries_and_a_unit(board: Board) -> None:
    # when
    panels = [panel for panel in json.loads(render(board))["panels"] if panel["type"] != "row"]
    # then
    assert [target["expr"] for panel in panels for target in panel["targets"]] == [expr for _, expr in board.queries()]
    assert all(panel["fieldConfig"]["defaults"]["unit"] for panel in panels)
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_recorded_series_are_recorded(board: Board) -> None:
    read = {
        name for _, expr in board.queries() for name in re.findall(r"\b(?:model|revision):[a-z0-9_]+:[a-z0-9_]+", expr)
    }
    assert read - RECORDED == set()


def test_the_fleet_reads_no_series_of_single_requests() -> None:
    # Rates over raw counters of thousands of pods would be computed at every refresh.
    assert [expr for _, expr in BOARDS["fleet"].queries() if "_total" in expr or "_bucket" in expr] == []
