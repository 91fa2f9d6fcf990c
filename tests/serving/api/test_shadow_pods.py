"""Two pods, each with a real Triton: stable's sends copies of what it has answered to the candidate's."""

import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.serving import models
from tests.serving.files import settings_file
from tests.serving.pod import Pod, log_lines
from tests.serving.service import Service, service
from tests.serving.two_pods import Pair, two_pods
from tests.waiting import eventually

from viridian_shared.counts.via import Via

pytestmark = pytest.mark.serving

SHADOW = {"Viridian_Shadow": "m-2;share=1"}
BY_ROUTE = {"Viridian_Via": "split"}


@dataclass
class Stage:
    pair: Pair
    color: Service
    """The Service of the candidate's color."""

    @property
    def stable(self) -> Pod:
        return self.pair.stable

    @property
    def candidate(self) -> Pod:
        return self.pair.candidate

    def results(self) -> dict[str, int]:
        """What became of copies so far."""
        return results(self.stable)

    def settled(self, number: int) -> dict[str, int]:
        """The same, once so many copies have come to an end."""
        eventually(lambda: sum(self.results().values()) >= number, lambda: f"{self.results()} {self.stable.log()}")
        return self.results()


def results(pod: Pod) -> dict[str, int]:
    page = pod.get("/metrics", "METRICS_PORT").body.decode()
    if "viridian_shadow_total" not in page:
        return {}
    return {sample.labels["result"]: int(sample.value) for sample in pod.samples("viridian_shadow") if sample.value}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    log = settings_file(tmp_path, log={"redact": [{"name": "i"}]}, rateLimit={"requestsPerSecond": 1000})
    with service() as color:
        both = {"OTHER_COLOR": color.address, **log}
        with two_pods(tmp_path, models.wrong, both=both) as pair:
            color.target = pair.candidate.ports["HTTP_PORT"]
            yield Stage(pair, color)


def test_a_candidate_that_answers_wrong_with_200_is_found_and_no_user_meets_it(stage: Stage) -> None:
    answers = [stage.stable.predict({"i": i}, **BY_ROUTE, **SHADOW) for i in range(10)]
    assert [answer.json["prediction"] for answer in answers] == [10.0 * i for i in range(10)]
    assert {answer.headers["viridian-revision"] for answer in answers} == {"m-1"}

    assert stage.settled(10) == {"agreed": 7, "disagreed": 3}
    assert stage.candidate.counts()[Via.MIRROR, "ok"] == 10
    assert not [via for via, _ in stage.candidate.counts() if via != Via.MIRROR]
    differences = {
        sample.labels.get("le"): sample.value for sample in stage.stable.samples("viridian_shadow_difference")
    }
    assert (differences["0.0"], differences["0.2"], differences["0.5"]) == (7, 7, 10)
    durations = stage.stable.samples("viridian_shadow_duration_seconds")
    counted = {s.labels["role"]: s.value for s in durations if s.name.endswith("_count")}
    assert counted == {"stable": 10, "candidate": 10}

    def examples() -> list[dict[str, Any]]:
        # Copies are answered side by side, and so in any order.
        found = [line for line in log_lines(stage.stable) if "shadow" in line]
        return sorted(found, key=lambda line: line["outputs"]["prediction"])

    eventually(lambda: len(examples()) == 3, stage.stable.log)
    assert [example["outputs"]["prediction"] for example in examples()] == [70.0, 80.0, 90.0]
    candidates = [{"candidate": "m-2", "outputs": {"prediction": wrong}} for wrong in (90.0, 100.0, 110.0)]
    assert [example["shadow"] for example in examples()] == candidates
    assert {example["inputs"]["i"] for example in examples()} == {"***"}


def test_lists_tensors_and_queries_are_compared(stage: Stage) -> None:
    stage.stable.predict([{"i": 1}, {"i": 2}], **BY_ROUTE, **SHADOW)
    stage.stable.predict([{"i": 1}, {"i": 7}], **BY_ROUTE, **SHADOW)
    assert stage.settled(2) == {"agreed": 1, "disagreed": 1}
    for index in (3, 8):
        tensor = {"name": "i", "datatype": "INT64", "shape": [1, 1], "data": [index]}
        body = json.dumps({"inputs": [tensor]}).encode()
        sent = {**BY_ROUTE, **SHADOW, "Content_Type": "application/json"}
        assert stage.stable.request("POST", "/v2/models/m/infer", body, headers=sent).status == 200
    assert stage.settled(4) == {"agreed": 2, "disagreed": 2}
    assert stage.stable.request("GET", "/predict?i=3", headers={**BY_ROUTE, **SHADOW}).status == 200
    assert stage.settled(5) == {"agreed": 3, "disagreed": 2}


def test_what_came_by_no_route_or_was_not_answered_by_the_model_is_not_mirrored(stage: Stage) -> None:
    stable = stage.stable
    assert stable.predict({"i": 1}, port="FALLBACK_PORT", **BY_ROUTE, **SHADOW).status == 200  # nobody is believed here
    assert stable.predict({"i": 1}, Viridian_Via="fallback", **SHADOW).status == 200
    assert stable.predict({"i": 1}, Viridian_Via="mirror", **SHADOW).status == 200
    assert stable.predict({"i": 1}, Viridian_Via="check", **SHADOW).status == 200
    assert stable.predict({"i": "no number"}, **BY_ROUTE, **SHADOW).status == 400
    assert stable.predict({"i": 99}, **BY_ROUTE, **SHADOW).status == 500
    assert stable.predict({"i": 1}, **BY_ROUTE).status == 200
    assert stable.predict({"i": 1}, **BY_ROUTE, Viridian_Shadow="m-1;share=1").status == 200  # this very revision
    assert stable.predict({"i": 1}, **BY_ROUTE, Viridian_Shadow="nonsense").status == 200
    assert stable.predict({"i": 1}, Viridian_Via="pin", **SHADOW).status == 200
    assert stage.settled(1) == {"agreed": 1}
    assert stage.candidate.counts() == {(Via.MIRROR, "ok"): 1}


def test_a_candidate_that_is_away_or_another_one_costs_users_nothing(stage: Stage) -> None:
    stage.color.target = None
    assert stage.stable.predict({"i": 1}, **BY_ROUTE, **SHADOW).status == 200
    assert stage.settled(1) == {"failed": 1}
    stage.color.target = stage.candidate.ports["HTTP_PORT"]
    other = {"Viridian_Shadow": "m-3;share=1"}
    assert stage.stable.predict({"i": 1}, **BY_ROUTE, **other).status == 200
    eventually(lambda: stage.results() == {"failed": 1})
    (sample, *_) = stage.stable.samples("viridian_shadow")
    assert sample.labels["candidate"] == "m-3"  # the one before is counted no more


def test_users_of_stable_are_answered_as_before(stage: Stage) -> None:
    """Paired: the same questions, by turns with and without copies. The figures are printed; no bound is on time."""
    seconds: dict[str, list[float]] = {"with": [], "without": []}
    both = [("without", {}), ("with", SHADOW)]
    for number in range(300):
        for name, headers in both if number % 2 else reversed(both):
            begun = time.perf_counter()
            assert stage.stable.predict({"i": 3}, **BY_ROUTE, **headers).json["prediction"] == 30.0
            seconds[name].append(time.perf_counter() - begun)
    found = stage.settled(300)
    assert found["agreed"] + found.get("dropped", 0) == 300  # on a busy machine, the candidate may not keep up
    for name, each in seconds.items():
        p50, p99 = (1000 * statistics.quantiles(each, n=100)[percent - 1] for percent in (50, 99))
        print(f"stable {name} copies: P50 {p50:.2f} ms, P99 {p99:.2f} ms")
