"""Every alert, in scenarios: it fires when it must, only then, and ends."""

from pathlib import Path

import pytest
from tests.component.alerts.promtool import Scenario, scenarios

from viridian.monitoring.groups import alerts

ALL = scenarios()
NAMES = {alert.name for alert in alerts()}


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name.replace(" ", "-"))
def test_the_right_alerts_fire_and_end(scenario: Scenario, tmp_path: Path) -> None:
    # when
    fired = scenario.play(tmp_path)
    # then
    assert fired.keys() == scenario.fires.keys()
    for name, minute in scenario.fires.items():
        assert fired[name].first <= minute * 60, f"{name} fired first after {fired[name].first} s"
    for name, minute in scenario.ends.items():
        assert fired[name].last < minute * 60, f"{name} fired until {fired[name].last} s"


def test_each_alert_fires_and_ends_in_a_scenario() -> None:
    assert {name for scenario in ALL for name in scenario.fires} == NAMES
    assert {name for scenario in ALL for name in scenario.ends} == NAMES
    assert len(ALL) >= 40
