"""The timeline reads what the operator writes, and keeps what changed."""

from datetime import UTC, datetime

from examples.demo.timeline import Role, Status, Timeline, read_weights

from viridian.api.names import Color
from viridian.api.status import (
    BlockedRevision,
    ColorStatus,
    Condition,
    GuardStatus,
    HistoryEntry,
    Hold,
    ModelDeploymentStatus,
    Phase,
    StepStatus,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)


def written_by_the_operator() -> dict[str, object]:
    status = ModelDeploymentStatus(
        observed_generation=3,
        phase=Phase.PROGRESSING,
        stable=ColorStatus(color=Color.BLUE, revision="digits-1", version="v1", weight=70, replicas=2, ready=2),
        candidate=ColorStatus(color=Color.GREEN, revision="digits-2", version="v2", weight=30, replicas=2, ready=1),
        step=StepStatus(index=2, count=3, weight=30, intended_at=NOW),
        hold=Hold(reason="NoTraffic", message="No requests.", since=NOW),
        guards=[
            GuardStatus(
                name="errorRate", kind="absolute", verdict="ok", evidence="0.1", threshold="300", message="1 of 90."
            )
        ],
        verdict="Nothing speaks against it.",
        failed=[BlockedRevision(revision="digits-0", version="v0", reason="Errors", message="Bad.", at=NOW)],
        history=[
            HistoryEntry(
                revision="digits-1", version="v1", result="Promoted", message="Good.", started_at=NOW, ended_at=NOW
            )
        ],
        conditions=[
            Condition(type="Ready", status="False", reason="Progressing", message="Step 2.", last_transition_time=NOW)
        ],
    )
    return {"metadata": {"name": "digits"}, "status": status.manifest()}


def test_reads_a_status_as_the_operator_writes_it() -> None:
    status = Status.read(written_by_the_operator())
    assert (status.observed_generation, status.phase, status.step) == (3, "Progressing", "step 2 of 3")
    assert status.candidate == Role("green", "digits-2", "v2", 2, 1)
    assert status.role_of("v1") == Role("blue", "digits-1", "v1", 2, 2)
    assert status.role_of("v9") is None
    assert status.guards == ("errorRate: 1 of 90.",)
    assert status.hold == "No requests."
    assert status.failed_versions == ("v0",)
    assert [(entry.version, entry.result, entry.evidence_at) for entry in status.history] == [("v1", "Promoted", None)]
    assert str(status.conditions[0]) == "Ready=False (Progressing: Step 2.)"


def test_reads_when_the_evidence_was_complete() -> None:
    deployment = written_by_the_operator()
    deployment["status"]["history"][0]["evidenceAt"] = "2026-01-02T03:04:05.678Z"  # type: ignore[index]
    assert Status.read(deployment).history[0].evidence_at == NOW.timestamp()


def test_one_more_than_the_last_step_is_the_bake() -> None:
    deployment = written_by_the_operator()
    deployment["status"]["step"]["index"] = 4  # type: ignore[index]
    assert Status.read(deployment).step == "bake"


def test_a_deployment_without_a_status() -> None:
    assert Status.read({"metadata": {}}) == Status()


def test_weights_are_those_of_the_default_rule() -> None:
    def rule(blue: int, green: int) -> dict[str, object]:
        backends = [{"name": "digits-blue", "weight": blue}, {"name": "digits-green", "weight": green}]
        return {"backendRefs": backends}

    route = {"spec": {"rules": [rule(0, 100), rule(90, 10)]}}
    assert read_weights(route, "digits") == {"blue": 90, "green": 10}


def test_keeps_only_what_changed() -> None:
    timeline = Timeline()
    for at, blue in ((1.0, 100), (2.0, 100), (3.0, 90)):
        timeline.saw_weights(at, {"blue": blue, "green": 100 - blue})
    timeline.saw_status(1.0, Status(phase="Stable"))
    timeline.saw_status(2.0, Status(phase="Stable"))
    assert [(seen.at, seen.weights["green"]) for seen in timeline.routes] == [(1.0, 0), (3.0, 10)]
    assert [seen.at for seen in timeline.statuses] == [1.0]
