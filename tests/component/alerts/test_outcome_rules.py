"""The rules for outcomes and cost calculate what their formulas say."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import yaml
from tests.component.alerts.promtool import RULES, promtool
from tests.component.harness.binaries import REPOSITORY

RULE_FILES = tuple(RULES / f"{name}.yaml" for name in ("outcomes", "cost"))
GUIDE = REPOSITORY / "docs" / "guides" / "cost.md"
OF = 'model_namespace="ml",model="iris",revision="iris-2",pod_uid="{pod}"'
COLOR = 'model_namespace="ml",model="iris",revision="iris-{0}",version="v{0}",color="{1}",currency="EUR"'


def evaluated(
    folder: Path,
    series: Mapping[str, str],
    expressions: list[str],
    minutes: int = 120,
    files: Sequence[Path] = RULE_FILES,
) -> dict[str, dict[str, float]]:
    """What promtool finds in place of nothing, which cannot be right: values by expression and by its own labels."""
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": each, "eval_time": f"{minutes}m", "exp_samples": []} for each in expressions],
    }
    said = promtool(folder, files, test, "5m")
    found: dict[str, dict[str, float]] = {each: {} for each in expressions}
    for name, labels, value in re.findall(r'__name__="([^"]+)"([^}]*)\} ([-0-9.eE+]+)', said):
        own = re.findall(r'(?:color|revision)="([^"]+)"', labels)
        found[name][own[0] if own else ""] = float(value)
    return found


def pods(name: str, labels: str, often: float) -> dict[str, str]:
    """A counter of two pods, with so much in both every five minutes."""
    more = f",{labels}" if labels else ""
    return {f"{name}{{{OF.format(pod=pod)}{more}}}": f"0+{often / 2 / 5}x200" for pod in ("a", "b")}


def test_outcomes_are_what_was_reported(tmp_path: Path) -> None:
    # given 100 predictions every five minutes, 20 of known truth, 16 of them right, in two bins of confidence
    series = {
        **pods("viridian_answered_predictions_total", 'via="split"', 100),
        **pods("viridian_feedback_total", 'via="split",result="correct"', 14),
        **pods("viridian_feedback_total", 'via="direct",result="correct"', 2),
        **pods("viridian_feedback_total", 'via="check",result="incorrect"', 70),
        **pods("viridian_feedback_total", 'via="split",result="incorrect"', 4),
        **pods("viridian_feedback_accepted_total", 'via="split",accepted="true"', 3),
        **pods("viridian_feedback_accepted_total", 'via="split",accepted="false"', 9),
        **pods("viridian_feedback_valued_total", 'via="split"', 5),
        **pods("viridian_feedback_value_total", 'via="split",sign="gain"', 10),
        **pods("viridian_feedback_value_total", 'via="split",sign="loss"', 30),
        **pods("viridian_feedback_confidence_count", 'bin="0.9"', 15),
        **pods("viridian_feedback_confidence_sum", 'bin="0.9"', 14.25),
        **pods("viridian_feedback_confidence_correct_total", 'bin="0.9"', 15),
        **pods("viridian_feedback_confidence_count", 'bin="0.6"', 5),
        **pods("viridian_feedback_confidence_sum", 'bin="0.6"', 3.25),
        **pods("viridian_feedback_confidence_correct_total", 'bin="0.6"', 1),
        **pods("viridian_feedback_age_seconds_sum", "", 36_000),
        **pods("viridian_feedback_age_seconds_count", "", 20),
    }
    known = {
        "revision:viridian_accuracy:ratio1d": 16 / 20,
        "revision:viridian_feedback_coverage:ratio1d": 20 / 100,
        "revision:viridian_accepted:ratio1d": 3 / 12,
        "revision:viridian_value:avg1d": -20 / 5,
        "revision:viridian_calibration_error:ratio1d": (abs(15 - 14.25) + abs(1 - 3.25)) / 20,
        "revision:viridian_feedback_age:avg1d": 1800,
    }
    # when
    found = evaluated(
        tmp_path, series, [*known, "revision:viridian_value:sum1d", "revision:viridian_absolute_error:avg1d"]
    )
    # then
    assert {name: found[name]["iris-2"] for name in known} == pytest.approx(known, rel=0.001)
    assert found["revision:viridian_value:sum1d"]["iris-2"] == pytest.approx(-20 * 24, rel=0.05)
    assert found["revision:viridian_absolute_error:avg1d"] == {}


def test_what_never_happened_is_zero_where_it_could_have(tmp_path: Path) -> None:
    # given labels that were all wrong, decisions that were all against, and values that were all losses
    series = {
        **pods("viridian_answered_predictions_total", 'via="split"', 0),
        **pods("viridian_feedback_total", 'via="split",result="correct"', 0),
        **pods("viridian_feedback_total", 'via="split",result="incorrect"', 4),
        **pods("viridian_feedback_accepted_total", 'via="split",accepted="true"', 0),
        **pods("viridian_feedback_accepted_total", 'via="split",accepted="false"', 4),
        **pods("viridian_feedback_confidence_count", 'bin="0.9"', 4),
        **pods("viridian_feedback_confidence_sum", 'bin="0.9"', 4),
        **pods("viridian_feedback_confidence_correct_total", 'bin="0.9"', 0),
        **pods("viridian_feedback_absolute_error_count", 'via="split"', 2),
        **pods("viridian_feedback_absolute_error_sum", 'via="split"', 3),
    }
    known = {
        "revision:viridian_accuracy:ratio7d": 0.0,
        "revision:viridian_accepted:ratio7d": 0.0,
        "revision:viridian_calibration_error:ratio7d": 1.0,
        "revision:viridian_absolute_error:avg7d": 1.5,
    }
    # when
    found = evaluated(tmp_path, series, [*known, "revision:viridian_value:avg7d"])
    # then
    assert {name: found[name]["iris-2"] for name in known} == pytest.approx(known)
    assert found["revision:viridian_value:avg7d"] == {}


def test_nobody_reports_anything_and_nothing_is_recorded(tmp_path: Path) -> None:
    series = {
        **pods("viridian_answered_predictions_total", 'via="split"', 100),
        **pods("viridian_feedback_total", 'via="split",result="correct"', 0),
        **pods("viridian_feedback_confidence_count", 'bin="0.9"', 0),
    }
    names = ["accuracy:ratio1d", "feedback_coverage:ratio1d", "accepted:ratio1d", "calibration_error:ratio1d"]
    found = evaluated(tmp_path, series, [f"revision:viridian_{name}" for name in names])
    assert not any(found.values())


def test_a_thousand_predictions_cost_what_their_pods_cost(tmp_path: Path) -> None:
    # given stable at 3 an hour, a candidate at 1 an hour, 400 predictions every five minutes, and a second operator
    stable, candidate = COLOR.format(1, "blue"), COLOR.format(2, "green")
    cost = "viridian_operator_cost_per_hour"
    series = {
        f'{cost}{{{stable},instance="a"}}': "3x200",
        f'{cost}{{{stable},instance="b"}}': "3x200",
        f'{cost}{{{candidate},instance="a"}}': "1x200",
        **pods("viridian_answered_predictions_total", 'via="split"', 400),
    }
    known = {
        ("revision:viridian_cost:per_hour", "blue"): 3,
        ("revision:viridian_cost:per_hour", "green"): 1,
        ("model:viridian_cost:per_hour", ""): 4,
        ("model:viridian_rollout_cost:per_hour", ""): 1,
        ("model:viridian_cost_per_1000:1h", ""): 4 / (12 * 400) * 1000,
        ("revision:viridian_cost_per_1000:1h", "iris-2"): 1 / (12 * 400) * 1000,
    }
    # when
    found = evaluated(tmp_path, series, list(dict.fromkeys(name for name, _ in known)))
    # then
    assert {key: found[key[0]][key[1]] for key in known} == pytest.approx(known, rel=0.001)


def test_at_rest_no_rollout_costs_anything(tmp_path: Path) -> None:
    name = "model:viridian_rollout_cost:per_hour"
    series = {f"viridian_operator_cost_per_hour{{{COLOR.format(1, 'blue')}}}": "3x200"}
    assert evaluated(tmp_path, series, [name]) == {name: {"": 0}}


def test_the_rule_of_the_guide_takes_the_prices_of_opencost(tmp_path: Path) -> None:
    # given the chart's rules with the guide's in the place of the first
    [replaced] = yaml.safe_load(re.findall(r"```yaml\n(- record:.*?)```", GUIDE.read_text(), re.DOTALL)[0])
    rules = yaml.safe_load((RULES / "cost.yaml").read_text())
    rules["groups"][0]["rules"][0] = replaced
    cost = tmp_path / "cost.yaml"
    cost.write_text(yaml.safe_dump(rules))
    # and two pods of a model on two nodes, one with a GPU, and somebody else's pod
    pods_ = [
        ("credit-risk-blue-5d4f8c7b9-x2x4z", "n1"),
        ("credit-risk-blue-5d4f8c7b9-b7k9q", "n2"),
        ("web-7c9-x", "n1"),
    ]
    series = {
        f'container_{what}{{namespace="ml",pod="{pod}",container="{container}",node="{node}"}}': f"{value}x200"
        for what, value in (("cpu_allocation", 0.5), ("memory_allocation_bytes", 2**30))
        for container in ("triton", "api")
        for pod, node in pods_
    }
    gpu = 'container_gpu_allocation{namespace="ml",pod="credit-risk-blue-5d4f8c7b9-b7k9q",container="triton",node="n2"}'
    series |= {
        f'node_{what}_hourly_cost{{node="{node}",instance="{node}:9003"}}': f"{price}x200"
        for what, price in (("cpu", 0.04), ("ram", 0.01), ("gpu", 0.5))
        for node in ("n1", "n2")
    }
    info = 'model_namespace="ml",model="credit-risk",revision="credit-risk-4",version="v4",color="blue"'
    series |= {gpu: "1x200"} | {f'viridian_revision_info{{{info},pod_uid="{pod}"}}': "1x200" for pod in ("a", "b")}
    # when
    names = ["revision:viridian_cost:per_hour", "model:viridian_cost:per_hour"]
    found = evaluated(tmp_path, series, names, files=(RULES / "outcomes.yaml", cost))
    # then
    expected = 2 * (1 * 0.04 + 2 * 0.01) + 0.5
    assert found[names[0]] == {"blue": pytest.approx(expected)}
    assert found[names[1]] == {"": pytest.approx(expected)}
