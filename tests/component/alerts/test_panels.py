"""Panels that a healthy model leaves empty: each shows something once there is something to show.

All other panels are asked of real pods and of a real operator, in tests that list those here as exceptions.
"""

import json
from pathlib import Path

from tests.component.alerts.promtool import RULES, promtool
from tests.component.rollout.test_operator_dashboard import MAY_BE_EMPTY as OF_THE_OPERATOR
from tests.serving.telemetry.test_dashboard_queries import MAY_BE_EMPTY as OF_PODS

from viridian.monitoring.dashboards.boards import boards

POD = 'model_namespace="ml",model="iris",revision="iris-1",pod_uid="a"'
COLOR = 'model_namespace="ml",model="iris",revision="iris-{0}",version="v{0}",color="{1}",currency="EUR"'
SERIES = {
    f'viridian_failures_total{{{POD},type="model-failed",status="500",detail="KeyError"}}': "0+1x200",
    f'viridian_client_requests_total{{{POD},client="shop",code="2xx"}}': "0+9x200",
    f'viridian_feature_out_of_range_total{{{POD},feature="age",side="above"}}': "0+1x200",
    f'viridian_drift_baseline_values{{{POD},kind="feature",variable="age",bin="0..40"}}': "600x200",
    f'viridian_drift_baseline_values{{{POD},kind="feature",variable="age",bin="above"}}': "400x200",
    f'viridian_drift_observed_total{{{POD},kind="feature",variable="age",bin="0..40"}}': "0+1x200",
    f'viridian_drift_observed_total{{{POD},kind="feature",variable="age",bin="above"}}': "0+9x200",
    f'viridian_answered_predictions_total{{{POD},via="split"}}': "0+10x200",
    f'viridian_feedback_absolute_error_sum{{{POD},via="split"}}': "0+5x200",
    f'viridian_feedback_absolute_error_count{{{POD},via="split"}}': "0+1x200",
    f"viridian_objective_cost_per_1000{{{POD}}}": "0.5x200",
    f"viridian_operator_cost_per_hour{{{COLOR.format(1, 'blue')}}}": "2x200",
    f"viridian_operator_cost_per_hour{{{COLOR.format(2, 'green')}}}": "1x200",
    'viridian_operator_watch_restarts_total{kind="pods"}': "0+1x200",
}
"""One more every minute of what a model, its clients and its operator may bring with them."""


def test_each_panel_that_may_be_empty_shows_what_there_is(tmp_path: Path) -> None:
    # given the panels that the other tests leave out
    left_out = OF_PODS.keys() | OF_THE_OPERATOR.keys()
    queries = {
        expr.replace("$namespace", "ml").replace("$model", "iris"): title
        for board in boards().values()
        for title, expr in board.queries()
        if title in left_out
    }
    assert set(queries.values()) == left_out
    # when each is expected to be empty
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in SERIES.items()],
        "promql_expr_test": [{"expr": each, "eval_time": "3h", "exp_samples": []} for each in queries],
    }
    said = promtool(tmp_path, sorted(RULES.glob("*.yaml")), test)
    # then Prometheus objects to each
    assert {title for expr, title in queries.items() if f"expr: {json.dumps(expr)}" not in said} == set(), said
