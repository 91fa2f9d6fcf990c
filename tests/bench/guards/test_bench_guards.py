"""The simulation itself: what a cell is, and that rules see what they should."""

import math

import numpy as np
import pytest
from tests.bench.guards.__main__ import EARLY, cells, row, run
from tests.bench.guards.rules import RULES
from tests.bench.guards.table import table
from tests.bench.guards.traffic import HEALTHY_FOR, PODS, Cell, Traffic


def rules(*names):
    return {name: RULES[name]() for name in names or RULES}


def test_every_rule_catches_a_candidate_that_fails_everything():
    found = run(Cell(0.01, 600, math.inf, "none", 30), 1, rules())
    assert {name for name, (rolled_back, _) in found.items() if rolled_back} == set(RULES)


def test_pinned_requests_that_fail_deceive_rules_that_count_them_and_not_ours():
    found = run(Cell(0.01, 600, 1.0, "hostile", 15), 1, rules("viridian", "5 % over 5m"))
    assert found["viridian"] == (False, 0)
    assert found["5 % over 5m"][0]


def test_a_late_regression_counts_from_when_it_began():
    rolled_back, requests = run(Cell(0.01, 600, 5.0, "late", HEALTHY_FOR + 30), 1, rules("viridian"))["viridian"]
    assert rolled_back
    assert 0 < requests < 30 * 600 * 0.1


@pytest.mark.parametrize("incident", ["none", "varying", "clustered"])
def test_incidents_keep_the_mean_rate(incident):
    traffic = Traffic(Cell(0.01, 6000, 1.0, incident, 600), np.random.default_rng(1))
    for _ in range(2400):
        traffic.step()
    n_c, x_c, n_s, x_s = traffic.sides
    assert (x_c + x_s) / (n_c + n_s) == pytest.approx(0.01, rel=0.1)
    assert len(traffic.requests) == sum(PODS)


def test_a_row_says_how_many_were_rolled_back_and_how_soon():
    cell = Cell(0.01, 60, 5.0, "late", 180)
    shown = row("ours", cell, [(True, 10), (True, 30), (True, EARLY), (False, 0)])
    assert (shown["rolled_back_share"], shown["rolled_back_early_share"]) == (0.5, 0.25)
    assert (shown["median_requests"], shown["healthy"]) == (20.0, False)
    assert "| 1 % | 60 | 5x | late | 50 %, 25 % early, 20 |" in table([shown], healthy=False)


def test_the_grid_has_every_candidate_and_every_incident():
    grid = list(cells([0.01], [60], 60))
    assert {cell.candidate for cell in grid} == {"same", "1.5x", "2x", "5x", "100 %"}
    assert len(grid) == len(set(grid)) == 11
