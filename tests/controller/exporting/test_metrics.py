"""The operator's metrics: their names, their number, and what is counted."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp.test_utils import unused_port
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from tests.controller.exporting.page import read
from tests.controller.exporting.test_credentials import authority, token

from viridian.api.status import Ending, HistoryEntry, ModelDeploymentStatus, Phase
from viridian.api.status.changes import evolve
from viridian.controller.exporting.endpoint import Endpoint
from viridian.controller.exporting.figures import MOST_MODELS, ColorCost, FailedFetches, Judged, LeaderFigures
from viridian.controller.exporting.metrics import OperatorMetrics
from viridian.guards.counts import Counts
from viridian.guards.judge import Judgement, Verdict
from viridian.kube.errors import Conflict, NotLeading, Refused, Unavailable
from viridian.metrics.connection import MetricsError, QueryRefused, TooLarge, Unanswered
from viridian.rollout.observed import FetchFailure, Pod

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"
ROW = re.compile(r"^\| `(viridian_operator_\w+)` \|(.*?)\| (\w+)", re.MULTILINE)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE = ModelDeploymentStatus(phase=Phase.PROGRESSING)


def judged(name: str, evidence: float = 3.0) -> Judged:
    judgement = Judgement("errorRate", "absolute", Verdict.HEALTHY, evidence, 20.0, Counts(), None, "fine")
    return ("team-a", name), f"{name}-2", (judgement,)


def cost(name: str, color: str = "blue", gpus: float = 0.0) -> ColorCost:
    return ColorCost(("team-a", name), f"{name}-2", "v2", color, 1.5, 2.0**30, gpus, 0.25)


def figures(models: int = 3, rolling: Iterable[Judged] = (), costs: Iterable[ColorCost] = ()) -> LeaderFigures:
    return LeaderFigures({Phase.STABLE: models}, 2, 0.5, 0.1, tuple(rolling), costs=tuple(costs), currency="EUR")


def unfetched(failure: FetchFailure | None = None) -> Pod:
    """A pod that is not ready; of which the model could not be fetched."""
    return Pod(uid="p", revision="iris-2", ready=False, deleting=False, fetch_failure=failure)


def ended(
    reason: str, result: str, seconds: float | None = None
) -> tuple[ModelDeploymentStatus, ModelDeploymentStatus]:
    """The status while a rollout is being rolled back, and when that is in the history."""
    seen = NOW if seconds is not None else None
    reverted = NOW + timedelta(seconds=seconds or 0.0)
    ending = Ending(phase=Phase.ROLLED_BACK, reason=reason, message="why", evidence_at=seen, reverted_at=reverted)
    entry = HistoryEntry(
        revision="iris-2", version="v2", result=result, message="why", started_at=NOW, ended_at=reverted
    )
    turning = evolve(BEFORE, phase=Phase.ROLLING_BACK, ending=ending)
    return turning, evolve(turning, phase=Phase.ROLLED_BACK, ending=None, history=[entry])


def families(metrics: OperatorMetrics) -> list[Metric]:
    return [family for family in metrics.registry.collect() if family.name.startswith("viridian_operator")]


def test_the_reference_lists_every_metric_with_its_labels_and_its_type(tmp_path: Path) -> None:
    # given everything that can happen, once
    (tmp_path / "token").write_text(token(exp=1_800_000_000))
    (tmp_path / "ca.crt").write_text(authority(30))
    failing = FailedFetches()
    failing.note(("ml", "iris"), [unfetched(FetchFailure.CREDENTIALS)])
    all_figures = replace(
        figures(rolling=[judged("iris")], costs=[cost("iris", gpus=1)]), failed_fetches=failing.shown()
    )
    metrics = OperatorMetrics(lambda: all_figures, tmp_path)
    turning, over = ended("GuardBreached", "RolledBack", 1.0)
    metrics.turned(turning, over)
    metrics.reconciled(0.1, "ok")
    metrics.ticked(0.1, True)
    metrics.asked("guards")(0.1, None)
    metrics.wrote("POST", None)
    metrics.restarted("deployments")
    metrics.notified("sent")
    # when a page is made
    exported = {}
    for family in families(metrics):
        ending = {"counter": "_total", "info": "_info"}.get(family.type, "")
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
        exported[family.name + ending] = (family.type.replace("info", "gauge"), labels)
    # then the reference says the same
    documented: dict[str, tuple[str, list[str]]] = {}
    for name, labels, kind in ROW.findall(REFERENCE.read_text()):
        same = (
            documented["viridian_operator_evidence"][1]
            if labels.strip() == "the same"
            else re.findall(r"`(\w+)`", labels)
        )
        documented[name] = (kind, sorted(same))
    assert documented == exported


def test_the_page_stays_small_with_two_thousand_models() -> None:
    # given as many models at rest, and more in a rollout than are shown
    rolling = [judged(f"m{number:04}") for number in range(MOST_MODELS + 50)]
    at_rest, all_of_it = OperatorMetrics(lambda: figures(2000)), OperatorMetrics(lambda: figures(2000, rolling))
    # when their pages are made
    few, many = (sum(len(family.samples) for family in families(metrics)) for metrics in (at_rest, all_of_it))
    # then those at rest have no series of their own, and the others two each, up to a bound that is told
    assert few < 60
    assert many == few + 2 * MOST_MODELS
    assert all_of_it.registry.get_sample_value("viridian_operator_evidence_omitted_models") == 50


def test_pods_that_cannot_fetch_are_shown_by_model_until_it_is_at_rest() -> None:
    # given
    failing = FailedFetches()
    metrics = OperatorMetrics(lambda: replace(figures(), failed_fetches=failing.shown()))

    def shown() -> dict[tuple[str, ...], float]:
        [family] = [each for each in families(metrics) if each.name == "viridian_operator_fetch_failing_pods"]
        return {tuple(sample.labels.values()): sample.value for sample in family.samples}

    # when pods of one model fail for two reasons, and all are well of another
    failing.note(("ml", "iris"), [unfetched(FetchFailure.CREDENTIALS), unfetched(FetchFailure.NO_ROOM), unfetched()])
    failing.note(("ml", "wine"), [unfetched()])
    # then
    assert shown() == {("ml", "iris", "credentials"): 1, ("ml", "iris", "no-room"): 1}
    # when it is at rest
    failing.note(("ml", "iris"), ())
    # then
    assert shown() == {}
    # when more fail than are shown
    for number in range(MOST_MODELS + 50):
        failing.note(("ml", f"m{number:04}"), [unfetched(FetchFailure.OTHER)])
    # then
    assert len(shown()) == MOST_MODELS


def test_pods_are_priced_by_color() -> None:
    # given
    metrics = OperatorMetrics(lambda: figures(costs=[cost("iris"), cost("rose", "green", gpus=2)]))
    labels = {"model_namespace": "team-a", "model": "rose", "revision": "rose-2", "version": "v2", "color": "green"}
    # then
    value = metrics.registry.get_sample_value
    assert value("viridian_operator_cost_per_hour", {**labels, "currency": "EUR"}) == 0.25
    assert value("viridian_operator_requested_cpu_cores", labels) == 1.5
    assert value("viridian_operator_requested_memory_bytes", labels) == 2**30
    assert value("viridian_operator_requested_gpus", labels) == 2
    assert sum(len(family.samples) for family in families(metrics) if family.name.endswith("gpus")) == 1


def test_without_prices_nothing_is_said_of_cost() -> None:
    names = {family.name for family in families(OperatorMetrics(figures))}
    assert not any("cost" in name or "requested" in name for name in names)


def test_the_number_of_priced_colors_is_bounded_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    monkeypatch.setattr("viridian.controller.exporting.metrics.MOST_COLORS", 10)
    metrics = OperatorMetrics(lambda: figures(costs=[cost(f"m{number}") for number in range(12)]))
    # then
    costs = [family for family in families(metrics) if family.name == "viridian_operator_cost_per_hour"]
    assert len(costs[0].samples) == 10
    assert metrics.registry.get_sample_value("viridian_operator_cost_omitted_colors") == 2


def test_without_the_lease_nothing_is_said_of_models() -> None:
    # given an operator that stands by
    metrics = OperatorMetrics(lambda: None)
    # then it says that, and has no gauge of models
    assert metrics.registry.get_sample_value("viridian_operator_leader") == 0
    assert "viridian_operator_models" not in {family.name for family in families(metrics)}


def test_each_phase_has_a_series() -> None:
    metrics = OperatorMetrics(lambda: figures(7))
    found = {phase: metrics.registry.get_sample_value("viridian_operator_models", {"phase": phase}) for phase in Phase}
    assert found == {phase: 7.0 if phase is Phase.STABLE else 0.0 for phase in Phase}


def test_a_rollback_is_counted_when_it_is_over_and_timed_when_the_traffic_is_back() -> None:
    # given a rollout whose guard breached, all traffic back 1.5 s after the scrape
    metrics = OperatorMetrics(figures)
    turning, over = ended("GuardBreached", "RolledBack", 1.5)
    value = metrics.registry.get_sample_value
    # when that is written
    metrics.turned(BEFORE, turning)
    # then it is timed, and not counted yet
    assert value("viridian_operator_revert_seconds_sum") == 1.5
    labels = {"result": "RolledBack", "reason": "GuardBreached"}
    assert value("viridian_operator_rollouts_ended_total", labels) is None
    # and when its pods are gone, and a status without news follows, it is counted once
    metrics.turned(turning, over)
    metrics.turned(over, over)
    assert value("viridian_operator_rollouts_ended_total", labels) == 1
    assert value("viridian_operator_revert_seconds_count") == 1


def test_an_abort_has_no_evidence_and_is_not_timed() -> None:
    metrics = OperatorMetrics(figures)
    turning, _ = ended("Aborted", "RolledBack")
    metrics.turned(BEFORE, turning)
    assert metrics.registry.get_sample_value("viridian_operator_revert_seconds_count") == 0


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (None, "ok"),
        (Conflict(409, ""), "conflict"),
        (Refused(403, ""), "refused"),
        (Unavailable(503, ""), "unavailable"),
        (NotLeading("PUT"), "not-leading"),
    ],
)
def test_writes_are_counted_by_what_became_of_them(error: Conflict | None, result: str) -> None:
    metrics = OperatorMetrics(figures)
    metrics.wrote("PUT", error)
    labels = {"verb": "update", "result": result}
    assert metrics.registry.get_sample_value("viridian_operator_api_writes_total", labels) == 1


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (None, "ok"),
        (Unanswered(""), "unanswered"),
        (QueryRefused(""), "refused"),
        (TooLarge(""), "too-large"),
        (MetricsError("warnings"), "partial"),
    ],
)
def test_queries_are_counted_by_what_became_of_them(error: MetricsError | None, result: str) -> None:
    metrics = OperatorMetrics(figures)
    metrics.asked("guards")(0.2, error)
    labels = {"purpose": "guards", "result": result}
    assert metrics.registry.get_sample_value("viridian_operator_prometheus_query_seconds_sum", labels) == 0.2


async def test_prometheus_reads_the_page_at_the_port() -> None:
    # given an endpoint
    port = unused_port()
    endpoint = Endpoint(OperatorMetrics(figures).registry, ("127.0.0.1", port))
    await endpoint.start()
    # when it is scraped
    try:
        text = await read(port)
    finally:
        await endpoint.stop()
    # then the page is one that Prometheus can parse
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"viridian_operator_leader", "process_resident_memory_bytes"} <= names


async def test_a_port_that_is_taken_is_an_error() -> None:
    port = unused_port()
    first, second = (Endpoint(OperatorMetrics(figures).registry, ("127.0.0.1", port)) for _ in range(2))
    await first.start()
    try:
        with pytest.raises(OSError, match=str(port)):
            await second.start()
    finally:
        await first.stop()
        await second.stop()
