"""The rules for drift calculate what the formulas say, and their alert says what moved where."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.component.alerts.promtool import RULES, promtool

from viridian_shared.drift import critical_g, g_statistic, jensen_shannon, psi

BASELINE = {"18..40": 600, "40..64": 400, "above": 0}
SERVED = {"18..40": 60, "40..64": 40, "above": 25}
"""Every two minutes."""
OF = 'model_namespace="ml",model="iris",revision="iris-1",pod_uid="{pod}",kind="feature",variable="age",bin="{bin}"'
SHARES = [[count / sum(each.values()) for count in each.values()] for each in (SERVED, BASELINE)]
VALUES = 60 * sum(SERVED.values())
"""Within the two hours of the test, of both pods."""


def play(folder: Path, **test: Any) -> str:
    """What promtool says of an expectation that cannot hold: what there is instead."""
    series = [
        {"series": f"{metric}{{{OF.format(pod=pod, bin=name)}}}", "values": values}
        for pod in ("a", "b")
        for name, count in BASELINE.items()
        for metric, values in (
            ("viridian_drift_baseline_values", f"{count}x120"),
            ("viridian_drift_observed_total", f"0+{SERVED[name] / 2}x120"),
        )
    ]
    played = {"interval": "2m", "input_series": series, **test}
    return promtool(folder, [RULES / "drift.yaml"], played)


@pytest.mark.parametrize("window", ["1h", "1d"])
def test_the_rules_calculate_what_the_formulas_say(window: str, tmp_path: Path) -> None:
    # given
    values = VALUES / (2 if window == "1h" else 1)
    known = {
        f"revision:viridian_drift_psi:{window}": psi(*SHARES),
        f"revision:viridian_drift_js:{window}": jensen_shannon(*SHARES),
        f"revision:viridian_drift_g:{window}": g_statistic(*SHARES, values, sum(BASELINE.values())),
        f"revision:viridian_drift_g_critical:{window}": critical_g(len(BASELINE)),
    }
    # when
    said = play(tmp_path, promql_expr_test=[{"expr": name, "eval_time": "2h"} for name in known])
    # then
    found = {name: float(value) for name, value in re.findall(r'__name__="([^"]+)"[^}]*\} (\S+)', said)}
    assert found == pytest.approx(known, rel=0.001)


def test_the_alert_says_what_moved_where(tmp_path: Path) -> None:
    # when
    said = play(tmp_path, alert_rule_test=[{"eval_time": "2h", "alertname": "ViridianFeatureDrift", "exp_alerts": []}])
    # then
    assert 'summary="`age` of ml/iris is not distributed as in its baseline"' in said
    assert f"Its PSI of the last day is {psi(*SHARES):.2f}: 0.1 or more, and no chance." in said
    assert "Most has changed in `above`: from 0% to 20%." in said
