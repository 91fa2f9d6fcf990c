"""Shadow steps on the cluster: wrong answers with status 200 show on copies, and stable's users notice nothing."""

import re
import statistics
from collections.abc import Sequence
from typing import Any

import pytest
import yaml
from examples.demo.records import Answer
from tests.component.harness.binaries import REPOSITORY
from tests.e2e.harness.stage import AT_ONCE, NAME, Stage
from tests.waiting import eventually

from viridian.cli.model import read_time

pytestmark = pytest.mark.e2e

REPORT = re.compile(r"v\d agreed on ([\d.]+) % of ([\d,]+) mirrored requests.*; P95 ([\d.]+ m?s) against ([\d.]+ m?s)$")
MOST = {"steps": [{"shadow": "99%", "hold": "10s", "minRequests": 300}, {"weight": 10, "hold": "5s"}]}
"""Nearly all requests: what copies cost stable shows most, if it does."""


def p99(answers: Sequence[Answer]) -> float:
    """In milliseconds."""
    return 1000 * statistics.quantiles((answer.latency for answer in answers), n=100)[98]


def compared(stage: Stage) -> tuple[float, int]:
    """Wait for a report; the value is the share of the copies on which both agree, in percent, and their number."""

    def look() -> tuple[float, int]:
        found = REPORT.match(stage.status.get("shadow", ""))
        assert found, f"{stage.status.get('shadow')}: {stage.condition('Ready').get('message')}"
        return float(found[1]), int(found[2].replace(",", ""))

    return eventually(look, "a report of the copies")


def test_a_model_that_answers_wrong_with_200_is_found_on_copies_and_slows_nobody(stage: Stage) -> None:
    # given a version that serves, and clients
    stage.serve("v1")
    with stage.clients() as clients, stage.route_log() as route:
        without = clients.go_on(1000)

        # when one that answers quickly, with 200, and wrongly gets copies of their requests
        stage.apply("v7", rollout={**MOST, "approval": "BeforeTraffic"})
        stage.reaches("Held")  # the copies were held against stable's answers, and a person is asked
        during = clients.go_on(1000)
        agreed, copies = compared(stage)
        status = stage.status
        told = read_time(status["step"]["verifiedAt"]) - read_time(status["step"]["intendedAt"])
        stage.command("abort", f"{NAME}-2")
        stage.reaches("RolledBack", "v1")
        after = clients.go_on(1000)

    # then the report shows it, and no user has met it
    print(f"{clients}; agreed on {agreed} % of {copies} copies: {status['hold']['message']}")
    print(f"the first copy was counted {told.total_seconds():.1f} s after the step was decided, scrapes included")
    assert copies >= 300
    assert agreed < 60
    assert not clients.failed
    assert {answer.version for answer in clients.answers} == {"v1"}
    assert route.weights("green") == [0]
    # and so much did the copies cost stable's users; a figure, and no bound, on a machine that others share
    print(f"stable's P99: {p99(without):.1f} ms without copies, {p99(during):.1f} ms with, {p99(after):.1f} ms after")


def test_a_model_that_answers_the_same_goes_on_to_users(stage: Stage) -> None:
    # given a version that serves, and clients
    stage.serve("v1")
    with stage.clients() as clients, stage.route_log() as route:
        clients.go_on()

        # when a better one gets copies first
        stage.apply("v2", rollout={**AT_ONCE, **MOST})
        stage.reaches("Stable", "v2")
        clients.go_on()

    # then they agree mostly, and it was promoted
    agreed, copies = compared(stage)
    assert copies >= 300
    assert agreed > 60
    assert not clients.failed
    assert route.weights("green")[:2] == [0, 10]
    assert stage.route["spec"]["rules"][0]["filters"][0]["requestHeaderModifier"]["remove"] == ["Viridian-Shadow"]


EXAMPLE: dict[str, Any] = yaml.safe_load((REPOSITORY / "examples" / "digits-shadow.yaml").read_text())["spec"]
"""The wrong version without its golden check, with shadow step and guards as people read them."""


def test_the_example_s_agreement_guard_turns_a_wrong_model_back_before_any_user(stage: Stage) -> None:
    # given a version that serves, and clients
    stage.serve("v1")
    with stage.clients() as clients, stage.route_log() as route:
        clients.go_on()

        # when the example is applied
        rollout = {**EXAMPLE["rollout"], "deadline": "2h"}
        stage.apply(EXAMPLE["model"]["version"], rollout=rollout, guards=EXAMPLE["guards"])
        status = stage.reaches("RolledBack", "v1")
        clients.go_on()

    # then what it answered to copies has given it away, and nobody has met it
    failed = status["failed"][0]
    print(f"{clients}; {failed['message']}; {status['shadow']}")
    assert failed["reason"] == "GuardBreached"
    assert "were answered otherwise" in failed["message"]
    assert not clients.failed
    assert {answer.version for answer in clients.answers} == {"v1"}
    assert route.weights("green") == [0]


def test_without_the_agreement_guard_the_same_model_is_only_reported(stage: Stage) -> None:
    # given a version that serves, and clients
    stage.serve("v1")
    with stage.clients() as clients:
        clients.go_on()

        # when the example is applied without its guard, with holds for a test
        guards = {name: guard for name, guard in EXAMPLE["guards"].items() if name != "agreement"}
        shadow = {**EXAMPLE["rollout"]["steps"][0], "hold": "5s"}
        stage.apply("v7", rollout={**AT_ONCE, "steps": [shadow, {"weight": 50, "hold": "5s"}]}, guards=guards)
        stage.reaches("Stable", "v7")
        clients.go_on()

    # then the report says how wrong it is, no guard has held it back, and no request has failed
    agreed, copies = compared(stage)
    print(f"{clients}; agreed on {agreed} % of {copies} copies")
    assert copies >= shadow["minRequests"]
    assert agreed < 60
    assert not clients.failed
    assert {answer.version for answer in clients.answers} == {"v1", "v7"}
