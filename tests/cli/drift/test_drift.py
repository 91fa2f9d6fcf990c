"""`kubectl viridian drift`: what Prometheus has counted, as a table and as data."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.http_server import Prometheus, serving
from tests.cli.test_golden import plain

from viridian.cli.drift import report
from viridian.cli.drift.measure import measure
from viridian.cli.drift.variables import Bin, Variable, in_order
from viridian.cli.main import main
from viridian.cli.prometheus import CannotMeasure

BASELINE = {"below": 0.0, "18..40": 0.5, "40..60": 0.4, "above": 0.0, "missing": 0.1}
OLDER = {"below": 0.0, "18..40": 0.1, "40..60": 0.68, "above": 0.12, "missing": 0.1}


def variable(served: dict[str, float], baseline: dict[str, float] = BASELINE, values: float = 1000) -> Variable:
    bins = in_order([Bin(name, served[name], share) for name, share in baseline.items()])
    return Variable("iris-1", "feature", "age", bins, values, 1000)


def test_what_moved_is_said_by_median_and_by_what_is_outside() -> None:
    assert variable(OLDER).moved() == "median 37.8 -> 50.3; 12 % above the training range"


def test_what_moved_between_categories_is_said_by_name() -> None:
    # given
    before = {"Bern": 0.5, "Oslo": 0.3, "Rome": 0.2, "other": 0.0, "missing": 0.0}
    after = {"Bern": 0.1, "Oslo": 0.3, "Rome": 0.3, "other": 0.1, "missing": 0.2}
    # then
    assert variable(after, before).moved() == (
        "10 % in categories that are rare or new; 20 % missing; `Bern` 50 % -> 10 %; `Rome` 20 % -> 30 %"
    )


def test_what_is_the_same_has_not_moved() -> None:
    assert (variable(BASELINE).moved(), variable(BASELINE).drifts, variable(BASELINE).psi) == ("", False, 0)


def test_the_same_change_is_drift_with_many_values_only() -> None:
    assert variable(OLDER, values=1000).drifts
    assert not variable(OLDER, values=20).drifts


def test_bins_are_in_the_order_of_numbers() -> None:
    names = ["missing", "above", "9..10", "-1..9", "below"]
    found = [each.name for each in in_order([Bin(name, 0, 0) for name in names])]
    assert found == ["below", "-1..9", "9..10", "above", "missing"]


def test_a_table_for_people_and_bars_for_a_terminal() -> None:
    # given
    found = [variable(OLDER), variable(BASELINE)]
    # then
    assert plain(report.table(found)).splitlines() == [
        "VARIABLE  KIND      PSI  CHANCE    VALUES  WHAT MOVED",
        "age       feature  1.36  no         1,000  median 37.8 -> 50.3; 12 % above the training range",
        "age       feature  0.00  possible   1,000",
    ]
    assert "░░░░░░░░░░░░░░░ 50.0 %" in plain(report.bars(found[0]))
    assert report.summary(found) == "1 of 2 drifts: PSI of 0.1 or more, and no chance."
    assert report.summary(found[1:]).startswith("None of 1 drifts")


class Flowers(Prometheus):
    """Knows ml/iris; of ml/rose it knows no baseline, and ml/lily has no users."""

    def samples(self, query: str) -> list[dict[str, Any]]:
        bins: dict[str, float] = {}
        if "baseline" in query:
            bins = {name: 1000 * share for name, share in BASELINE.items()}
        elif "iris" in query:
            assert "[86400s]" in query
            bins = {name: 2000 * share for name, share in OLDER.items()}
        if "rose" in query:
            return []
        of = {"revision": "iris-1", "kind": "feature", "variable": "age"}
        return [{"metric": of | {"bin": name}, "value": [0, str(value)]} for name, value in bins.items()]


@pytest.fixture
def prometheus() -> Iterator[str]:
    with serving(Flowers) as url:
        yield url


@pytest.mark.parametrize(
    ("name", "words"), [("rose", "knows no baseline of ml/rose"), ("lily", "has answered no user")]
)
def test_without_a_baseline_or_users_there_is_nothing_to_compare(prometheus: str, name: str, words: str) -> None:
    with pytest.raises(CannotMeasure, match=words):
        measure(prometheus, "ml", name, "86400s")


def test_programs_get_the_figures(
    prometheus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # given
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("""#!/bin/sh\necho '{"metadata": {"name": "iris", "namespace": "ml"}}'\n""")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    # when
    status = main(["drift", "-n", "ml", "iris", "--prometheus", prometheus, "-o", "json"])
    # then
    out, errors = capsys.readouterr()
    assert (status, errors) == (0, "")
    [found] = json.loads(out)
    assert (found["variable"], found["drifts"], found["values"], found["baselineRows"]) == ("age", True, 2000, 1000)
    assert found["bins"][3] == {"bin": "above", "served": 0.12, "baseline": 0.0}
    assert 0 < found["jensenShannon"] < 1
