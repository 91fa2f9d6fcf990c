"""The simulation itself: what a cell is, and that rules see what they should."""

import math

import numpy as np
import pytest
from scipy.stats import fisher_exact, mannwhitneyu
from tests.bench.guards.answers import CASES, SHIFT
from tests.bench.guards.cells import EARLY, NEVER, OneByOne, cells, row, run, tasks
from tests.bench.guards.rules import RULES, fisher_p, mann_whitney_p
from tests.bench.guards.silence import GOOD_FOR, rolled_back_after
from tests.bench.guards.table import table, verdicts
from tests.bench.guards.traffic import HEALTHY_FOR, PODS, Cell, Traffic


def found(cell, *names, rollouts=4):
    return run(cell, rollouts, np.random.default_rng(1), names or tuple(RULES))


def test_every_rule_catches_a_candidate_that_fails_everything():
    assert all((each > 0).all() for each in found(Cell(0.01, 600, math.inf, "none", 30)).values())


def test_pinned_requests_that_fail_deceive_rules_that_count_them_and_not_ours():
    shown = found(Cell(0.01, 600, 1.0, "hostile", 15), "viridian", "5 % over 5m")
    assert (shown["viridian"] == NEVER).all()
    assert (shown["5 % over 5m"] > 0).all()


def test_a_late_regression_counts_from_when_it_began():
    requests = found(Cell(0.01, 600, 5.0, "late", HEALTHY_FOR + 30), "viridian")["viridian"]
    assert (requests > 0).all()
    assert (requests < 30 * 600 * 0.1).all()


@pytest.mark.parametrize("incident", ["none", "varying", "clustered"])
def test_incidents_keep_the_mean_rate(incident):
    traffic, asked, failed = Traffic(Cell(0.01, 6000, 1.0, incident, 600), np.random.default_rng(1), 20), 0, 0
    for _ in range(120):
        traffic.step()
        asked, failed = asked + traffic.requests.sum(), failed + traffic.failures.sum()
    assert failed / asked == pytest.approx(0.01, rel=0.15)
    assert len(traffic.requests) == sum(PODS)


def test_the_candidate_has_no_requests_until_it_has_its_weight():
    traffic = Traffic(Cell(0.01, 6000, 1.0, "none", 60), np.random.default_rng(1), 3)
    traffic.step()
    assert traffic.sides[0].sum() == 0 < traffic.sides[2].sum()


def test_the_tests_of_others_are_those_of_scipy():
    # given counts and rates of all kinds
    rng = np.random.default_rng(3)
    n = rng.integers(1, 400, (2, 300))
    x = rng.binomial(n, rng.choice([0.0, 0.02, 0.3, 1.0], (2, 300)))
    # then
    for column, p in enumerate(fisher_p(*(each.astype(float) for each in (n[0], x[0], n[1], x[1])))):
        (n_c, n_s), (x_c, x_s) = n[:, column], x[:, column]
        expected = fisher_exact([[x_c, n_c - x_c], [x_s, n_s - x_s]], alternative="greater").pvalue
        assert p == pytest.approx(expected, rel=1e-6) if x_c * n_s > x_s * n_c else expected > 0.01

    rates = np.round(rng.gamma(0.5, 1.0, (2, 12, 300)), 1)
    rates[:, 6:, ::2] = np.inf
    rates[:, :6, ::2] = rng.random((2, 6, 150))
    for column, p in enumerate(mann_whitney_p(*rates)):
        mine, other = (each[:, column][np.isfinite(each[:, column])] for each in rates)
        assert p == pytest.approx(mannwhitneyu(mine, other, alternative="greater").pvalue, rel=1e-6)


def test_a_row_says_how_many_were_rolled_back_and_how_soon():
    shown = row("ours", Cell(0.01, 60, 5.0, "late", 180), np.array([10, 30, EARLY, NEVER]))
    assert (shown["rolled_back_share"], shown["rolled_back_early_share"]) == (0.5, 0.25)
    assert (shown["median_requests"], shown["healthy"]) == (20.0, False)
    assert "| 1 % | 60 | 5x | late | 4 | 50 %, 25 % early, 20 |" in table([shown], healthy=False)


def test_the_page_says_which_cells_are_wrong_and_which_rules_are_as_careful():
    # given a rule that is wrong in one cell, and one that keeps to 1 % and is faster in one
    def rows(rule, wrong, needed):
        healthy, bad = Cell(0.01, 60, 1.0, "none", 60), Cell(0.01, 60, 5.0, "none", 60)
        return [row(rule, healthy, np.repeat([9, NEVER], [wrong, 100 - wrong])), row(rule, bad, np.repeat(needed, 100))]

    report = [*rows("viridian", 0, 80), *rows("hasty", 2, 5), *rows("careful", 1, 70)]
    # when
    text = "\n".join(verdicts(report))
    # then
    assert "- viridian: at most 0 % in 1 cells." in text
    assert "- hasty: at most 2 % in 1 cells, more than 1 % in 1 of them: 1 %, 60 a minute, same, none (2 %)." in text
    assert "- careful keeps to 1 % as well, and is faster in 1 cells: 1 %, 60 a minute, 5x, none." in text


def test_the_grid_has_every_candidate_and_every_incident():
    grid = list(cells([0.01], [60], 60))
    assert {cell.candidate for cell in grid} == {"same", "1.5x", "2x", "5x", "100 %"}
    assert len(grid) == len(set(grid)) == 11


def test_each_cell_is_kept_under_a_name_of_its_own():
    wanted = list(tasks([0.001, 0.01], [1, 60], 60))
    assert len({task.name for task in wanted}) == len(wanted)
    assert {"maxShift", "latency", "rejected", "answers", "agreement", "accuracy"} <= {
        rule.removeprefix("viridian ") for task in wanted for rule in getattr(task, "rules", ()) or (task.rule,)
    }


@pytest.mark.parametrize("case", [each for each in CASES if each.rule == SHIFT], ids=lambda case: case.candidate)
def test_labels_that_shift_are_found_and_others_are_not(case):
    task = next(
        each
        for each in tasks([], [6000], 20)
        if isinstance(each, OneByOne) and (each.rule, each.candidate) == (SHIFT, case.candidate)
    )
    assert [each["rolled_back_share"] for each in task.rows(3)] == [0.0 if case.candidate == "same" else 1.0]


def test_silence_is_found_soon():
    minutes, rng = GOOD_FOR + 5, np.random.default_rng(1)
    assert rolled_back_after(Cell(0.0, 600, 1.0, "none", minutes), rng) is None
    assert 0 < (rolled_back_after(Cell(0.0, 600, math.inf, "none", minutes), rng) or 0) < 5 * 60
