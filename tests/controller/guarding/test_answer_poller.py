"""Answers of moving models: read, and judged beside the ticker."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.controller.counters import START
from tests.controller.fakes import spec, status

from viridian.api.model_key import ModelKey
from viridian.api.status import ModelDeploymentStatus
from viridian.controller.cache.models import Models
from viridian.controller.guarding.answer_poller import AnswerPoller
from viridian.controller.guarding.monitor import GuardMonitor
from viridian.controller.guarding.own_pods import OwnPods
from viridian.guards.answers.counters import CLASS, SHADOW, AnswerSnapshot, Key, PodAnswers
from viridian.guards.judge import Verdict
from viridian.guards.shadow_report import ShadowReport
from viridian.metrics.answers import AnswerReader
from viridian.metrics.connection import MetricsError
from viridian.rollout.observed import Pod

KEY = ("default", "iris")
INTERVAL = timedelta(seconds=15)
STABLE = {"color": "blue", "revision": "iris-1", "version": "v1.0.0"}
CANDIDATE = {"color": "green", "revision": "iris-2", "version": "v2.0.0", "weight": 25}


class Reader:
    """Says what pods have counted so far."""

    def __init__(self) -> None:
        self.counts: dict[str, dict[str, int]] = {"iris-1": {"a": 0, "b": 0}, "iris-2": {"a": 0, "b": 0}}
        self.mirrored: dict[Key, int] = {}
        self.error: MetricsError | None = None

    async def read(self, keys: Collection[ModelKey], now: float) -> dict[ModelKey, AnswerSnapshot | MetricsError]:
        if self.error is not None:
            return dict.fromkeys(keys, self.error)
        pods = {
            f"pod-of-{revision}": PodAnswers(revision, {(CLASS, label): n for label, n in counts.items()}, START - 900)
            for revision, counts in self.counts.items()
        }
        stable = pods["pod-of-iris-1"]
        pods["pod-of-iris-1"] = replace(stable, counts={**stable.counts, **self.mirrored})
        pods["a-stranger"] = PodAnswers("iris-2", {(CLASS, "b"): 10**6}, START + now)
        return {key: AnswerSnapshot(now, pods) for key in keys}


class Scene:
    """A model that moves, and what is read of it every 15 s."""

    def __init__(self) -> None:
        self.now, self.reader = datetime.fromtimestamp(START, UTC), Reader()
        self.monitor, pods = GuardMonitor(15.0), OwnPods(INTERVAL)
        pods.note(
            KEY, [Pod(f"pod-of-{name}", name, ready=True, deleting=False) for name in self.reader.counts], self.now
        )
        self.status = ModelDeploymentStatus.model_validate(status(stable=STABLE, candidate=CANDIDATE))
        models = SimpleNamespace(moving=lambda: [SimpleNamespace(key=KEY, spec=spec())])
        self.poller = AnswerPoller(
            cast(AnswerReader, self.reader), cast(Models, cast(Any, models)), self.monitor, pods, INTERVAL
        )
        self.monitor.sync_session(KEY, self.status, self.now)

    async def minutes(self, number: int, candidate: dict[str, int], stable: dict[str, int]) -> None:
        for _ in range(4 * number):
            for revision, grown in (("iris-2", candidate), ("iris-1", stable)):
                for label, by in grown.items():
                    self.reader.counts[revision][label] += by
            self.now += INTERVAL
            await self.poller.look(self.now)

    @property
    def predictions(self) -> list[tuple[Verdict, str]]:
        judgements = self.monitor.evidence(KEY).judgements
        return [(each.verdict, each.sentence) for each in judgements if each.guard == "predictions"]


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_what_is_predicted_is_reported(scene: Scene) -> None:
    await scene.minutes(5, {"a": 10, "b": 30}, {"a": 100, "b": 20})
    [(verdict, sentence)] = scene.predictions
    assert verdict is Verdict.HEALTHY
    assert "times" in sentence
    assert scene.monitor.evidence(KEY).breached_at is None


async def test_a_candidate_that_predicts_one_label_only_is_blamed(scene: Scene) -> None:
    await scene.minutes(10, {"a": 40}, {"a": 60, "b": 60})
    [(verdict, _)] = scene.predictions
    assert verdict is Verdict.BREACH
    assert scene.monitor.evidence(KEY).breached_at is not None


async def test_answers_that_cannot_be_read_change_nothing(scene: Scene) -> None:
    scene.reader.error = MetricsError("no")
    await scene.minutes(1, {}, {})
    assert scene.predictions == []


async def test_the_report_of_a_shadow_step_reaches_the_decision_and_outlasts_what_cannot_be_read(scene: Scene) -> None:
    # given no copies, and then those of an earlier candidate
    await scene.minutes(1, {}, {})
    assert scene.monitor.evidence(KEY).shadow is None
    scene.reader.mirrored = {(SHADOW, "iris-1", "agreed"): 5}
    await scene.minutes(1, {}, {})
    assert scene.monitor.evidence(KEY).shadow is None
    # when some of this one are counted, and then nothing can be read
    scene.reader.mirrored |= {(SHADOW, "iris-2", "agreed"): 9, (SHADOW, "iris-2", "disagreed"): 1}
    await scene.minutes(1, {}, {})
    scene.reader.error = MetricsError("no")
    await scene.minutes(1, {}, {})
    # then
    assert scene.monitor.evidence(KEY).shadow == ShadowReport(agreed=9, disagreed=1)
