"""`kubectl viridian plan` as a shell sees it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from tests.cli.http_server import Prometheus, serving
from tests.cli.test_golden import hold_against

from viridian.cli.commands.simulate import KINDS
from viridian.cli.forecast.behavior import Behavior, Histogram, LogNormal, candidates
from viridian.cli.forecast.measure import measure
from viridian.cli.main import main
from viridian.cli.prometheus import CannotMeasure

SPEC = {
    "model": {"version": "v2.0.0", "uri": "image:///models/iris"},
    "serving": {
        "replicas": 3,
        "api": {"resources": {"requests": {"cpu": "250m"}}},
        "triton": {"resources": {"limits": {"cpu": "1"}}},
    },
    "traffic": {"parentRefs": [{"name": "public"}]},
    "guards": {"latency": [{"percentile": "95", "max": "200ms"}]},
}


@pytest.fixture
def iris(tmp_path: Path) -> Path:
    head = {"apiVersion": "viridian.dev/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": "iris"}}
    file = tmp_path / "iris.yaml"
    file.write_text(yaml.safe_dump({**head, "spec": SPEC}))
    return file


def test_text_for_people(iris: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")  # whatever the terminal has that runs the tests
    assert main(["plan", "-f", str(iris), "--rpm", "300", "--error-rate", "0.5%", "--rollouts", "10"]) == 0
    text = capsys.readouterr().out
    hold_against("plan.txt", "".join(f"{line.rstrip()}\n" for line in text.splitlines()))


def test_data_for_programs_are_the_same_again(iris: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # given
    command = [
        "plan",
        "-f",
        str(iris),
        "--rpm",
        "300",
        "--p95",
        "50ms",
        "--rollouts",
        "10",
        "--seed",
        "7",
        "-o",
        "json",
    ]
    # when it is asked twice
    assert main(command) == 0
    first = json.loads(capsys.readouterr().out)
    assert main(command) == 0
    # then chance has not changed anything
    assert json.loads(capsys.readouterr().out) == first
    by_name = {each["name"]: each for each in first["candidates"]}
    assert by_name["healthy"]["promoted"]["chance"] == 1.0
    assert by_name["all failing"]["turnedBack"]["chance"] == 1.0
    assert by_name["all failing"]["turnedBack"]["seconds"]["p50"] < by_name["healthy"]["promoted"]["seconds"]["p50"]
    assert first["widest"] == {"pods": 6, "cpu": 7.5}
    assert first["assumed"] == ["0.1% of the requests fail with stable (--error-rate)"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give --rpm, or --prometheus to measure the requests a minute"),
        (["--rpm", "60", "--name", "rose"], "has no such models: choose one with --name"),
        (["--rpm", "60", "--error-rate", "many"], "'many' is not a percentage"),
        (["--prometheus", "127.0.0.1:9"], "is no address of Prometheus: write http://HOST:PORT"),
        (["--prometheus", "http://127.0.0.1:9"], "cannot be reached"),
    ],
)
def test_too_little_to_go_on(iris: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str) -> None:
    assert main(["plan", "-f", str(iris), *arguments]) in {1, 2}
    assert says in capsys.readouterr().err


def test_a_manifest_with_an_error_is_not_planned(iris: Path, capsys: pytest.CaptureFixture[str]) -> None:
    iris.write_text(iris.read_text().replace("replicas: 3", "replicas: 0"))
    assert main(["plan", "-f", str(iris), "--rpm", "60"]) == 1
    assert "spec.serving.replicas" in capsys.readouterr().err


# -- measured traffic


class Iris(Prometheus):
    """300 requests a minute of the revision that serves, 1 % of which fail; of the others 90 % take at most 100 ms.

    A candidate that was turned back has failed all of its 60 a minute. Pods cost 1.5 an hour.
    """

    rates: ClassVar = {
        ("iris-1", "ok"): "4.95",
        ("iris-1", "error"): "0.05",
        ("iris-1", "rejected"): "9",
        ("iris-2", "error"): "1",
    }
    buckets: ClassVar = {"0.1": "4.455", "0.2": "4.95", "+Inf": "5"}
    looks = 240
    """Of an hour, every 15 seconds."""

    def samples(self, query: str) -> list[dict[str, Any]]:
        found: list[tuple[dict[str, str], str]]
        if "cost_per_hour" in query:
            found = [({"currency": "EUR"}, "1.5")]
        elif "iris" not in query:
            found = []
        elif query.startswith("topk"):
            found = [({"revision": "iris-1"}, "5")]
        elif query.startswith("count_over_time"):
            found = [({}, str(self.looks))]
        elif "_bucket" in query and 'revision="iris-1"' in query:
            found = [({"le": bound}, rate) for bound, rate in self.buckets.items()]
        else:
            found = [({"revision": key[0], "outcome": key[1]}, rate) for key, rate in self.rates.items()]
        return [{"metric": labels, "value": [0, value]} for labels, value in found]


class Young(Iris):
    """The same, of a model whose first requests came six minutes ago."""

    looks = 24


@pytest.fixture
def prometheus() -> Iterator[str]:
    with serving(Iris) as url:
        yield f"{url}/"


def test_traffic_is_what_prometheus_has_counted(prometheus: str) -> None:
    # when
    found = measure(prometheus, "ml", "iris", 3600)
    # then
    assert found.rpm == pytest.approx(360)
    assert found.behavior.errors == pytest.approx(0.01)
    assert found.behavior.latency.slower_than(0.1) == pytest.approx(0.1)
    assert found.behavior.latency.slower_than(0.15) == pytest.approx(0.05)
    assert found.behavior.latency.within(0.95) == pytest.approx(0.15)


def test_the_time_before_the_first_request_is_left_out() -> None:
    with serving(Young) as url:
        assert measure(url, "ml", "iris", 3600).rpm == pytest.approx(3600)


def test_a_model_without_requests_has_nothing_to_measure(prometheus: str) -> None:
    with pytest.raises(CannotMeasure, match="has counted no requests of ml/rose in 3600 s: give --rpm"):
        measure(prometheus, "ml", "rose", 3600)


def test_what_is_given_wins_over_what_is_measured(
    iris: Path, prometheus: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "plan",
        "-f",
        str(iris),
        "--prometheus",
        prometheus,
        "--error-rate",
        "2%",
        "--rollouts",
        "1",
        "-o",
        "json",
    ]
    assert main(command) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["requestsPerMinute"] == pytest.approx(360)
    assert said["errorRate"] == 0.02
    assert said["assumed"] == []
    assert said["cost"] == {"perHour": 1.5, "currency": "EUR"}
    assert any("cost 1.50 EUR an hour" in note for note in said["notes"])


# -- durations


def test_one_percentile_makes_a_distribution() -> None:
    latency = LogNormal(0.1)
    assert latency.slower_than(0.1) == pytest.approx(0.05)
    assert latency.slower_than(0.2) < 0.01 < latency.slower_than(0.08)
    assert latency.slower_than(latency.within(0.99)) == pytest.approx(0.01)


def test_beyond_the_last_bucket_everything_is_slow() -> None:
    assert Histogram((0.1, 1.0), (0.9, 0.98)).slower_than(5.0) == pytest.approx(0.02)


# -- checks, shadow steps, approvals


def test_what_is_waited_for_beside_the_guards_is_said(iris: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # given a manifest with all of it
    manifest = yaml.safe_load(iris.read_text())
    manifest["spec"]["rollout"] = {
        "approval": "BeforePromotion",
        "steps": [{"shadow": "20%", "hold": "1m"}, {"weight": 50, "hold": "1m"}],
    }
    manifest["spec"]["checks"] = {
        "load": {"requests": 500, "rate": 50},
        "jobs": [{"name": "contract", "timeout": "5m"}],
    }
    iris.write_text(yaml.safe_dump(manifest))
    command = ["plan", "-f", str(iris), "--rpm", "3000", "--rollouts", "20", "-o", "json", "--approval"]
    # when it is played with a person who takes their time, and with one who does not
    assert main([*command, "0s"]) == 0
    at_once = json.loads(capsys.readouterr().out)
    assert main([*command, "1h"]) == 0
    later = json.loads(capsys.readouterr().out)
    # then
    took = [each["candidates"][0]["promoted"]["seconds"]["p50"] for each in (at_once, later)]
    assert took[1] - took[0] == pytest.approx(3600, abs=31)
    notes = " ".join(later["notes"])
    assert "comes after 1h, which is in these times" in notes
    assert "take seconds, but the load is sent for 10s and contract may take 5m" in notes
    assert "copies are taken to be answered as by stable" in notes


# -- one rollout


def test_simulate_for_people(iris: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    command = ["simulate", "-f", str(iris), "--rpm", "600", "--error-rate", "1%", "--candidate", "5x errors"]
    assert main(command) == 0
    text = capsys.readouterr().out
    hold_against("simulate.txt", "".join(f"{line.rstrip()}\n" for line in text.splitlines()))


def test_simulate_for_programs_is_a_rollout_that_plan_plays(iris: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["-f", str(iris), "--rpm", "600", "--p95", "50ms", "--seed", "3", "-o", "json"]
    assert main(["simulate", *common, "--candidate", "all failing"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["outcome"] == "TurnedBack"
    assert found["moments"][-1]["evidence"]["errorRate (maximum)"] >= found["thresholds"]["errorRate (maximum)"]
    assert main(["plan", *common, "--rollouts", "1"]) == 0
    planned = {each["name"]: each for each in json.loads(capsys.readouterr().out)["candidates"]}["all failing"]
    assert planned["turnedBack"]["seconds"]["p50"] == round(found["moments"][-1]["seconds"])


def test_simulate_offers_what_plan_plays() -> None:
    stable = Behavior(0.01, LogNormal(0.05))
    assert tuple(each.name for each in candidates(stable)) == KINDS
