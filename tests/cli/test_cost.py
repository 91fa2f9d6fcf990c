"""What a model and its rollouts cost, in `status` and in `history`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.http_server import Prometheus, serving

from viridian.cli.cost.measure import costs, model_cost
from viridian.cli.main import main
from viridian.rollout.reporting.cost import Amount

MODEL = yaml.safe_load((Path(__file__).parent / "models" / "progressing.yaml").read_text())
NAME, NAMESPACE = MODEL["metadata"]["name"], MODEL["metadata"]["namespace"]


class Shop(Prometheus):
    """Prices two colors of a model; the candidate has answered nobody yet. Of a model `free` it knows no prices."""

    def samples(self, query: str) -> list[dict[str, Any]]:
        if '"free"' in query:
            return []
        assert f'model="{NAME}"' in query
        if query.startswith("sum_over_time"):
            assert "@ " in query
            return [{"metric": {"currency": "EUR"}, "value": [0, "0.0625"]}]
        if query.startswith("1000 *"):
            found = [("iris-1", "0.0421"), ("iris-2", "+Inf")]
            return [{"metric": {"revision": revision}, "value": [0, value]} for revision, value in found]
        if query.startswith("max by (currency)"):
            return [{"metric": {"currency": "EUR"}, "value": [0, "1.5"]}]
        colors = [("iris-2", "v2", "green", "0.5"), ("iris-1", "v1", "blue", "1.5")]
        return [
            {"metric": {"revision": r, "version": v, "color": c, "currency": "EUR"}, "value": [0, value]}
            for r, v, c, value in colors
        ]


@pytest.fixture
def prometheus() -> Iterator[str]:
    with serving(Shop) as url:
        yield url


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `kubectl` that knows the model."""
    (tmp_path / "model.json").write_text(json.dumps(MODEL))
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f"#!/bin/sh\ncat {tmp_path}/model.json\n")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("amount", "text"),
    [(Amount(1234.5, "EUR"), "1,234.50 EUR"), (Amount(0.04213, "EUR"), "0.0421 EUR"), (Amount(2, ""), "2.00")],
)
def test_amounts_are_written_for_people(amount: Amount, text: str) -> None:
    assert str(amount) == text


def test_without_prices_there_is_no_cost(prometheus: str) -> None:
    assert costs(prometheus, NAMESPACE, "free") == []
    assert model_cost(prometheus, NAMESPACE, "free") is None


def test_a_model_costs_what_its_dearer_color_does(prometheus: str) -> None:
    assert model_cost(prometheus, NAMESPACE, NAME) == Amount(1.5, "EUR")


@pytest.mark.usefixtures("cluster")
def test_status_has_the_cost_of_each_color(prometheus: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", NAME, "--prometheus", prometheus]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "v1 (iris-1, blue): 1.50 EUR an hour, 0.0421 EUR for 1,000 predictions of the last hour" in shown
    assert "v2 (iris-2, green): 0.5 EUR an hour, no predictions" in shown


@pytest.mark.usefixtures("cluster")
def test_programs_get_the_cost_with_the_status(prometheus: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", NAME, "--prometheus", prometheus, "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["phase"] == MODEL["status"]["phase"]
    assert found["cost"][0] == {
        "revision": "iris-1",
        "version": "v1",
        "color": "blue",
        "currency": "EUR",
        "perHour": 1.5,
        "per1000": 0.0421,
    }


@pytest.mark.usefixtures("cluster")
def test_history_has_what_each_rollout_cost_on_top(prometheus: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", NAME, "--prometheus", prometheus]) == 0
    assert "cost on top: 0.0625 EUR" in capsys.readouterr().out


@pytest.mark.usefixtures("cluster")
def test_without_prometheus_nothing_is_said_of_cost(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("status", "history"):
        assert main([command, NAME]) == 0
    assert "cost" not in capsys.readouterr().out
