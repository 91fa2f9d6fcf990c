"""The command `drill`: its timeline, its exit statuses, and what `status` shows of drills."""

import json
from typing import Any

import pytest
import yaml
from tests.cli.kubectl_double import MODELS, Cluster

from viridian.cli import giving, render
from viridian.cli.drill import final_lines, stage_line
from viridian.cli.main import main
from viridian.cli.model import Model
from viridian.cli.orders import subject, was_obeyed

RECORD = {
    "kind": "Failing",
    "result": "Passed",
    "message": "all traffic was on stable 4s after the first bad answer",
    "startedAt": "2026-01-05T10:00:00Z",
    "endedAt": "2026-01-05T10:01:00Z",
    "firstFailureAt": "2026-01-05T10:00:50.000Z",
    "evidenceAt": "2026-01-05T10:00:53.500Z",
    "safeAt": "2026-01-05T10:00:54.000Z",
}
COMMAND = "drill/iris-1:Failing/0a0a0a0a0a0a"


def model(**drill: Any) -> Model:
    """The stable model, with a status of its drills."""
    manifest = yaml.safe_load((MODELS / "stable.yaml").read_text())
    manifest["status"] |= {"drill": drill, "lastCommand": COMMAND}
    return Model(manifest)


def running(stage: str) -> dict[str, str]:
    since = f"2026-01-05T10:00:{['Starting', 'Sending', 'Failing', 'Cleaning'].index(stage):02}Z"
    return {"kind": "Failing", "stage": stage, "since": since, "version": "v1.0.0", "revision": "iris-1"}


@pytest.fixture(autouse=True)
def _known_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(giving.secrets, "token_hex", lambda _: COMMAND.rpartition("/")[2])


@pytest.mark.parametrize(("result", "status"), [("Passed", 0), ("TooSlow", 1), ("CouldNotRun", 1), ("Cancelled", 1)])
def test_it_prints_the_timeline_and_ends_by_the_result(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], result: str, status: int
) -> None:
    # given an operator that obeys, and a drill that goes through its stages
    stages = [model(running=running(stage)) for stage in ("Starting", "Sending", "Failing", "Cleaning")]
    cluster(*stages, model(last={**RECORD, "result": result}))

    # when
    assert main(["drill", "iris", "--timeout", "30s"]) == status

    # then
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "10:00:00  the twin is brought up with v1.0.0"
    assert lines[2] == "10:00:02  a version that is failing on purpose is rolled out to it"
    assert lines[-3].endswith("the evidence against it is complete, 3.5 s after the first bad answer")
    assert lines[-1].startswith("The drill of kind Failing ")


def test_for_programs_it_prints_the_record_alone(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster(model(running=running("Starting")), model(last=RECORD))
    assert main(["drill", "iris", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == RECORD


def test_the_command_names_stable_and_the_kind() -> None:
    assert subject("drill", model(), "Slow") == "iris-1:Slow"
    assert was_obeyed("drill", "iris-1:Slow", model(requested={"kind": "Slow"}))
    assert not was_obeyed("drill", "iris-1:Slow", model(last=RECORD))


def test_a_drill_that_met_no_request_has_no_times_of_one() -> None:
    record = {key: value for key, value in RECORD.items() if key != "firstFailureAt"}
    assert next(final_lines(record)) == "10:00:53  the evidence against it is complete"
    assert stage_line({}) == ""


def test_status_shows_the_last_drill_and_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    from datetime import UTC, datetime

    shown = model(last=RECORD, next="2026-01-12T10:05:00Z", waits="an incident is open")
    console = render.console()
    console.print(render.status_tree(shown, datetime(2026, 1, 6, tzinfo=UTC), bars=False))
    text = capsys.readouterr().out
    assert "The drill of kind Failing passed" in text
    assert "next: 2026-01-12T10:05:00Z" in text
    assert "waits: an incident is open" in text
