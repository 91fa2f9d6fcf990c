"""What `kubectl viridian drift --against` asks of Prometheus, answered by Prometheus' own tester.

In the first hour users are young, and the candidate gets 2 % of them. In the second they are old, and it gets half. At
each moment both versions get the same users.
"""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.component.alerts.promtool import promtool

from viridian.cli.drift import versions
from viridian.cli.drift.pair import Pair, Side
from viridian.cli.drift.versions import compare

V1, V2 = Side("iris-1", "v1"), Side("iris-2", "v2")
OF = (
    'model_namespace="ml",model="iris",revision="{revision}",pod_uid="{pod}"'
    ',kind="{kind}",variable="{variable}",bin="{bin}"'
)
NIGHT, DAY = {"18..40": 80, "40..64": 20}, {"18..40": 20, "40..64": 80}
"""Requests of a minute, both versions together, by bin."""
LABELS = {"iris-1": {"stays": 80, "leaves": 20}, "iris-2": {"stays": 40, "leaves": 60}}
WEIGHTS = {"iris-1": (0.98, 0.5), "iris-2": (0.02, 0.5)}
_LABEL = re.compile(r'([a-z_]+)="([^"]*)"')


def counters() -> list[dict[str, str]]:
    """Of two pods of each version, in two hours of 60 minutes."""
    found = []
    for revision, (night, day) in WEIGHTS.items():
        rates = [("feature", "age", name, (night * NIGHT[name], day * DAY[name])) for name in NIGHT]
        rates += [("prediction", "label", name, (night * n, day * n)) for name, n in LABELS[revision].items()]
        for kind, variable, name, (first, second) in rates:
            for pod in "ab":
                labels = OF.format(kind=kind, variable=variable, bin=name, revision=revision, pod=pod)
                values = f"0+{first / 2}x60 {60 * first / 2 + second / 2}+{second / 2}x59"
                found.append({"series": f"viridian_drift_observed_total{{{labels}}}", "values": values})
    return found


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Lets the tester answer at the end of the two hours; returns the expressions."""
    expressions = []

    def answered(_: str, expression: str) -> list[Any]:
        expressions.append(expression)
        question = {"expr": f"({expression}) + 0", "eval_time": "2h"}
        test = {"interval": "1m", "input_series": counters(), "promql_expr_test": [question]}
        told = next(line for line in promtool(tmp_path, [], test).splitlines() if "got:" in line)
        pairs = re.findall(r"\{([^}]*)\} ([0-9.E+]+)", told)
        return [{"metric": dict(_LABEL.findall(labels)), "value": [0, value]} for labels, value in pairs]

    monkeypatch.setattr(versions, "query", answered)
    return expressions


def test_users_that_change_while_weights_change_are_no_difference(asked: list[str]) -> None:
    # when
    found = compare("", ("ml", "iris"), Pair(V2, V1), timedelta(hours=2))
    # then
    label, age = found.variables
    assert (age.name, age.psi) == ("age", pytest.approx(0, abs=1e-6))
    assert [each.served for each in age.bins] == pytest.approx([0.223, 0.777], abs=0.005)
    assert age.values == pytest.approx(60 * (2 + 50), rel=0.02)
    # of stable's 8880 values as many as two samples of the same hours are worth: 52² / (2² / 98 + 50² / 50) minutes
    assert age.rows == pytest.approx(60 * 52**2 / (2**2 / 98 + 50**2 / 50), rel=0.02)
    # then
    assert (label.name, label.drifts) == ("label", True)
    assert [(each.name, each.served, each.baseline) for each in label.bins] == [
        ("leaves", pytest.approx(0.6), pytest.approx(0.2)),
        ("stays", pytest.approx(0.4), pytest.approx(0.8)),
    ]


def test_without_the_slots_the_hours_of_the_day_would_be_one(asked: list[str]) -> None:
    """That the counters of the test would mislead who adds them up: it can fail."""
    # given what was counted before the candidate was replaced, as if both had served one after the other
    replaced = datetime.fromtimestamp(2 * 3600, UTC)
    # when
    found = compare("", ("ml", "iris"), Pair(V2, V1, replaced, replaced), timedelta(hours=2))
    # then
    age = next(each for each in found.variables if each.name == "age")
    assert age.drifts
    assert "@ 7200)" in asked[1]
