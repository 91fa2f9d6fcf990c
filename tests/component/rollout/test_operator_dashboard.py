"""Each query of the operator's dashboard, asked of a real Prometheus that scrapes a real operator, has an answer."""

from pathlib import Path

from tests.component.harness.prometheus import PrometheusServer
from tests.component.harness.stage import Stage
from tests.waiting import eventually

from viridian.monitoring.dashboards.boards import boards

MAY_BE_EMPTY = {"Watches that began again": "its series appear with the first watch that breaks"}


def test_each_panel_shows_something_of_a_rollout_that_is_rolled_back(stage: Stage, tmp_path: Path) -> None:
    # given Prometheus, which scrapes the operator
    target = {"targets": [f"127.0.0.1:{stage.operator.metrics_port}"]}
    configuration = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [{"job_name": "viridian-operator", "static_configs": [target]}],
    }
    seen: set[str] = set()
    with PrometheusServer(tmp_path, configuration) as server:

        def look() -> set[str]:
            """The panels that have shown nothing so far; some show what passes."""
            seen.update(title for title, expr in boards()["operator"].queries() if server.query(expr))
            return {title for title, _ in boards()["operator"].queries()} - seen

        # when a version is promoted, and the next one fails its users
        stage.apply("v1.0.0")
        stage.reaches("Stable", "v1.0.0")
        eventually(lambda: server.query("viridian_operator_leader == 1"), "the operator to be scraped")
        stage.users.outcome = lambda revision: ("error" if revision == "iris-2" else "ok", 0.02)
        stage.apply("v2.0.0")
        eventually(lambda: "Evidence on its way to a rollback" not in look(), "the evidence to be shown")
        stage.reaches("RolledBack", "v1.0.0")

        # then each panel has shown something
        eventually(lambda: look() <= MAY_BE_EMPTY.keys(), lambda: f"empty: {look() - MAY_BE_EMPTY.keys()}")
