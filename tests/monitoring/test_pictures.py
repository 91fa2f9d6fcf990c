"""Pictures of panels: units, stacks, and the order in which rules are evaluated for them."""

import re
from xml.etree import ElementTree

import pytest
from tests.monitoring.pictures.backfill import levels
from tests.monitoring.pictures.drawing import Drawn, Mark, Series, amount, draw, stacked, ticks

from viridian.monitoring.dashboards.boards import boards
from viridian.monitoring.dashboards.panels import Kind, Panel, Query, Unit
from viridian.monitoring.groups import files
from viridian.monitoring.rule import Recording

PANELS = [panel for board in boards().values() for row in board.rows for panel in row.panels]
HOUR = [(30.0 * i, i / 120) for i in range(121)]


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        (Unit.SHARE, 0.0125, "1.25 %"),
        (Unit.SECONDS, 0.0025, "2.5 ms"),
        (Unit.SECONDS, 90, "90 s"),
        (Unit.BYTES, 3 * 2**20, "3 MiB"),
        (Unit.BYTES, 0, "0 B"),
        (Unit.PER_SECOND, 12_500, "12.5k req/s"),
        (Unit.EACH_SECOND, 0.5, "0.5 /s"),
        (Unit.NUMBER, -2_000_000, "-2M"),
    ],
)
def test_values_have_their_unit(unit: Unit, value: float, text: str) -> None:
    assert amount(unit, value) == text


@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 1), (0, 0.0031), (-7, 12), (0, 640_000)])
def test_ticks_enclose_all_values_and_are_few(low: float, high: float) -> None:
    found = ticks(low, high)
    assert found[0] <= low <= high <= found[-1]
    assert 2 <= len(found) <= 7
    assert 0 in found


def test_ticks_of_bytes_are_round_in_their_unit() -> None:
    assert [amount(Unit.BYTES, value) for value in ticks(0, 57e6, Unit.BYTES)] == ["0 B", "20 MiB", "40 MiB", "60 MiB"]


def test_series_are_put_on_top_of_one_another() -> None:
    # given one that begins later
    first, second = Series("a", [(0, 1), (30, 2)]), Series("b", [(30, 5)])
    # then it lies on the first
    assert [(below, line) for _, below, line in stacked([first, second])] == [
        ([(0, 0), (30, 0)], [(0, 1), (30, 2)]),
        ([(0, 1), (30, 2)], [(0, 1), (30, 7)]),
    ]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_each_panel_can_be_drawn(panel: Panel) -> None:
    # given a line that is interrupted, and one with a name that XML would misread
    names = ("plain", "a < b & c")
    series = [Series(names[0], HOUR[:40] + HOUR[60:]), Series(names[1], HOUR)]
    # when
    text = draw("Row", [Drawn(panel, series)], 3600, [Mark(900, "m-2 comes")])
    # then it is a picture with all of it, within its bounds
    root = ElementTree.fromstring(text)  # noqa: S314 - we wrote it
    said = {each.text for each in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {
        panel.title,
        *names,
        amount(panel.unit, ticks(0, 2 if panel.kind is Kind.STACK else 1, panel.unit)[-1]),
    } <= said
    width, height = (float(each) for each in root.attrib["viewBox"].split()[2:])
    paths = [each.attrib["d"] for each in root.iter("{http://www.w3.org/2000/svg}path") if each.get("class") != "grid"]
    points = [(float(x), float(y)) for path in paths for x, y in re.findall(r"[ML](\S+) ([0-9.]+)", path)]
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
    assert "m-2 comes" in text


def test_an_interrupted_line_is_not_joined() -> None:
    panel = Panel("p", Unit.NUMBER, (Query("x"),))
    lines = re.findall(
        r'class="line"[^>]* d="([^"]+)"', draw("r", [Drawn(panel, [Series("s", HOUR[:9] + HOUR[20:])])], 3600, [])
    )
    assert [line.count("M") for line in lines] == [2]


def test_a_panel_without_data_says_so() -> None:
    assert ">no data</text>" in draw("r", [Drawn(PANELS[0], [])], 3600, [])


def test_each_rule_comes_once_and_after_what_it_reads() -> None:
    # given all rules, of which those of alerts record nothing
    groups = [group for found in files().values() for group in found]
    recorded = [rule.name for group in groups for rule in group.rules if isinstance(rule, Recording)]
    # when
    found = [[rule for group in level for rule in group.rules] for level in levels(groups)]
    # then
    names = [rule.name for level in found for rule in level]
    assert sorted(names) == sorted(recorded)
    known: set[str] = set()
    for level in found:
        for rule in level:
            read = {name for name in recorded if re.search(rf"\b{re.escape(name)}\b", rule.expr)}
            assert read <= known, rule.name
        known |= {rule.name for rule in level}
