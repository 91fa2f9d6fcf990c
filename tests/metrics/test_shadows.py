"""What stable's pods say of copies, read from Prometheus' answer."""

from typing import Any

import pytest

from viridian.guards.shadow_report import ShadowReport
from viridian.metrics.connection import MetricsError
from viridian.metrics.shadows import build_shadow_query, gather_shadows

IRIS = ("default", "iris")


def series(name: str, value: str, **labels: str) -> dict[str, Any]:
    metric = {"__name__": name, "model_namespace": "default", "model": "iris", "candidate": "iris-2", **labels}
    return {"metric": metric, "value": [1.0, value]}


def test_one_query_asks_for_all_models_and_sums_over_pods() -> None:
    query = build_shadow_query([("b", "wine"), ("a", "iris")])
    assert query.startswith("sum by (__name__, model_namespace, model, candidate, result, role, le) ({")
    assert "model_namespace=~`a|b`,model=~`iris|wine`" in query
    assert "viridian_shadow_total|viridian_shadow_duration_seconds_bucket" in query


def test_counts_and_durations_make_a_report_for_each_candidate() -> None:
    answer = [
        series("viridian_shadow_total", "8", result="agreed"),
        series("viridian_shadow_total", "2", result="disagreed"),
        series("viridian_shadow_total", "1", result="dropped"),
        series("viridian_shadow_total", "5", result="agreed", candidate="iris-1"),
        series("viridian_shadow_total", "9", result="agreed", model="wine"),  # another model of the same namespace
        *(
            series("viridian_shadow_duration_seconds_bucket", number, role=role, le=le)
            for role, le, number in [
                ("candidate", "0.1", "0"),
                ("candidate", "0.2", "10"),
                ("candidate", "+Inf", "10"),
                ("stable", "0.1", "10"),
                ("stable", "+Inf", "10"),
            ]
        ),
    ]
    found = gather_shadows(answer, {IRIS})
    assert set(found) == {(IRIS, "iris-2"), (IRIS, "iris-1")}
    assert found[IRIS, "iris-2"] == ShadowReport(8, 2, 0, 1, pytest.approx(0.195), pytest.approx(0.095))
    assert found[IRIS, "iris-1"] == ShadowReport(agreed=5)


@pytest.mark.parametrize("broken", [{"metric": {}, "value": [1, "2"]}, {"value": [1, "2"]}, {"metric": {"le": "x"}}])
def test_an_answer_of_something_else_is_an_error(broken: dict[str, Any]) -> None:
    with pytest.raises(MetricsError, match="viridian_shadow_total"):
        gather_shadows([broken], {IRIS})
