"""Each query of each dashboard, asked of a real Prometheus that scrapes a real pod, has an answer."""

from pathlib import Path

import pytest
from tests.component.harness.prometheus import PrometheusServer
from tests.serving import models
from tests.serving.pod import post_many, running_pod
from tests.waiting import eventually

from viridian.monitoring.dashboards.boards import boards

pytestmark = pytest.mark.serving

RULES = Path(__file__).parents[3] / "charts" / "viridian" / "files" / "monitoring" / "rules"
KEY = {"FEEDBACK_KEY": "a key of this model and of no other"}
PACE = {
    **{f"interval: {slow}": "interval: 1s" for slow in ("30s", "2m", "5m")},
    **{f"[{window}:5m]": "[2m:2s]" for window in ("2h", "6h", "1d", "3d", "7d")},
}
"""What is slow in rules and panels, and how it is for tests."""
CHOSEN = {"model_namespace": "ml", "model": "m", "revision": "m-1", "pod_uid": "uid"}
MAY_BE_EMPTY = {
    "Failures by kind": "its series appear with the first failure of a kind",
    "Distance from the truth, of a week": "is of models that predict numbers, and this one predicts labels",
    "Cost of an hour": "is the operator's, where there are prices",
    "Cost of 1,000 predictions": "the same",
    "Cost of 1,000 predictions by revision": "the same",
    "Cost of rollouts on top, of an hour": "the same",
    "Values out of range": "shows only features with such values, which most models have not",
    "Drift of a day (PSI)": "needs a baseline beside the model",
    "Requests by client": "needs API keys",
}
"""Panels that have nothing to show for a healthy model without further settings, and why."""


def hurried(text: str) -> str:
    for slow, fast in PACE.items():
        text = text.replace(slow, fast)
    return text


async def test_each_panel_shows_something(tmp_path: Path) -> None:
    # given Prometheus with the chart's recording rules, at a pace for tests
    for name in ("recording.yaml", "outcomes.yaml"):
        (tmp_path / name).write_text(hurried((RULES / name).read_text()))
    with running_pod(tmp_path / "pod", models.digits, **KEY) as pod:
        target = {"targets": [f"127.0.0.1:{pod.ports['METRICS_PORT']}"], "labels": CHOSEN}
        job = {"job_name": "viridian-models", "honor_labels": False, "static_configs": [target]}
        dropped = [{"regex": "exported_.+", "action": "labeldrop"}]
        configuration = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "rule_files": [str(tmp_path / "*.yaml")],
            "scrape_configs": [{**job, "metric_relabel_configs": dropped}],
        }
        (tmp_path / "prometheus").mkdir()
        with PrometheusServer(tmp_path / "prometheus", configuration) as server:
            eventually(lambda: server.query("viridian_ready == 1"), "the pod to be scraped")
            # when the pod answers, and is told what came of it
            await post_many(pod, [{"X": [float(i % 16)] * 64} for i in range(200)], Viridian_Via="split")
            answer = pod.predict([{"X": [float(i % 16)] * 64} for i in range(20)], Viridian_Via="split").json
            said = {"accepted": True, "value": 2.5}
            known = [(each["feedback_token"], each["prediction"]) for each in answer["predictions"]]
            told = pod.feedback([{"token": token, "actual": label, **said} for token, label in known])
            assert told.json == {"counted": 20, "repeated": 0}

            # then all panels have an answer; the operator's own are not the pods'
            empty = {
                (title, hurried(expr).replace("$namespace", "ml").replace("$model", "m"))
                for name, board in boards().items()
                if name != "operator"
                for title, expr in board.queries()
                if title not in MAY_BE_EMPTY
            }

            def nothing_is_empty() -> bool:
                # Each is asked until it has one: to ask for all of them is much work for Prometheus.
                empty.difference_update({each for each in empty if server.query(each[1])})
                return not empty

            eventually(nothing_is_empty, lambda: f"an answer to {sorted(empty)}")
