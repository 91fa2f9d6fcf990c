"""The reports of shadow steps, from Prometheus to what a decision sees."""

from collections.abc import Collection
from datetime import UTC, datetime

import pytest
from tests.controller.counters import INTERVAL
from tests.controller.fakes import model, status

from viridian.api.model_key import ModelKey
from viridian.controller.cache.models import Models
from viridian.controller.guarding.monitor import GuardMonitor
from viridian.controller.guarding.shadows import ShadowPoller
from viridian.guards.shadow_report import ShadowReport
from viridian.metrics.connection import MetricsError

IRIS = ("default", "iris")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
REPORT = ShadowReport(agreed=9, disagreed=1)


class Reports:
    """A Prometheus that knows reports alone, and remembers for whom they were read."""

    def __init__(self) -> None:
        self.found = {(IRIS, "iris-2"): REPORT}
        self.asked: list[Collection[ModelKey]] = []

    async def read_shadows(self, keys: Collection[ModelKey]) -> dict[tuple[ModelKey, str], ShadowReport]:
        self.asked.append(keys)
        return self.found


class Stage:
    """A model in the middle of a rollout."""

    def __init__(self, shadow: str | None) -> None:
        self.models, self.monitor, self.reports = Models(), GuardMonitor(INTERVAL), Reports()
        self.poller = ShadowPoller(self.reports, self.models, self.monitor)  # type: ignore[arg-type]
        step = {"index": 1, "count": 2, "weight": 0 if shadow else 50, "intendedAt": "2026-01-01T00:00:00Z"}
        made = model(status=status(step={**step, **({"shadow": shadow} if shadow else {})}))
        self.models.see(made.manifest)
        self.monitor.sync_session(IRIS, made.status, NOW)

    @property
    def report(self) -> ShadowReport | None:
        return self.monitor.evidence(IRIS).shadow


async def test_the_report_of_a_shadow_step_reaches_the_decision() -> None:
    stage = Stage("10%")
    await stage.poller.look()
    assert stage.reports.asked == [{IRIS}]
    assert stage.report == REPORT


async def test_outside_of_shadow_steps_nobody_is_asked() -> None:
    stage = Stage(None)
    await stage.poller.look()
    assert stage.reports.asked == []
    assert stage.report is None


async def test_the_report_of_an_earlier_candidate_is_none_of_this_one() -> None:
    stage = Stage("10%")
    stage.reports.found = {(IRIS, "iris-1"): REPORT}
    await stage.poller.look()
    assert stage.report is None


async def test_a_prometheus_that_does_not_answer_leaves_the_last_report() -> None:
    stage = Stage("10%")
    await stage.poller.look()

    async def fails(_: Collection[ModelKey]) -> dict[tuple[ModelKey, str], ShadowReport]:
        raise MetricsError("away")

    stage.reports.read_shadows = fails  # type: ignore[method-assign]
    with pytest.raises(MetricsError):
        await stage.poller.look()
    assert stage.report == REPORT
