"""Each query of each dashboard, asked of a real Prometheus that scrapes a real pod, has an answer."""

from pathlib import Path

import pytest
from tests.component.harness.prometheus import PrometheusServer
from tests.serving import models
from tests.serving.pod import eventually, post_many, running_pod

from viridian.monitoring.dashboards.boards import boards

pytestmark = pytest.mark.serving

RULES = Path(__file__).parents[3] / "charts" / "viridian" / "files" / "monitoring" / "rules" / "recording.yaml"
CHOSEN = {"model_namespace": "ml", "model": "m", "revision": "m-1", "pod_uid": "uid"}
MAY_BE_EMPTY = {
    "Failures by kind": "its series appear with the first failure of a kind",
    "Accuracy of a day": "needs the Secret that signs predictions, and clients that send labels",
    "Labels by result": "the same",
    "Values out of range": "shows only features with such values, which most models have not",
    "Drift of a day (PSI)": "needs a baseline beside the model",
    "Requests by client": "needs API keys",
}
"""Panels that have nothing to show for a healthy model without further settings, and why."""


async def test_each_panel_shows_something(tmp_path: Path) -> None:
    # given Prometheus with the chart's recording rules, at a pace for tests
    rules = tmp_path / "recording.yaml"
    rules.write_text(RULES.read_text().replace("interval: 30s", "interval: 1s").replace("interval: 5m", "interval: 1s"))
    with running_pod(tmp_path / "pod", models.digits) as pod:
        target = {"targets": [f"127.0.0.1:{pod.ports['METRICS_PORT']}"], "labels": CHOSEN}
        job = {"job_name": "viridian-models", "honor_labels": False, "static_configs": [target]}
        dropped = [{"regex": "exported_.+", "action": "labeldrop"}]
        configuration = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "rule_files": [str(rules)],
            "scrape_configs": [{**job, "metric_relabel_configs": dropped}],
        }
        (tmp_path / "prometheus").mkdir()
        with PrometheusServer(tmp_path / "prometheus", configuration) as server:
            eventually(lambda: server.query("viridian_ready == 1"), lambda: "the pod is not scraped")
            # when the pod answers
            await post_many(pod, [{"X": [float(i % 16)] * 64} for i in range(200)], Viridian_Via="split")

            def empty() -> set[str]:
                return {
                    title
                    for name, board in boards().items()
                    if name != "operator"
                    for title, expr in board.queries()
                    if not server.query(expr.replace("$namespace", "ml").replace("$model", "m"))
                }

            # then all but the panels that may be empty have an answer; the operator's own are not the pods'
            eventually(lambda: empty() <= MAY_BE_EMPTY.keys(), lambda: f"empty: {empty() - MAY_BE_EMPTY.keys()}")
