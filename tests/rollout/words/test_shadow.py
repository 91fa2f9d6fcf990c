"""Shadow steps at their edges: what pods are told, when the first copy counts, when none is no accident."""

from datetime import timedelta
from typing import Any

import pytest
from tests.rollout.words.looks import look, pods, route, step
from tests.rollout.world import START

from viridian.api.status import Ending, ModelDeploymentStatus, Outage, Phase
from viridian.guards.shadow_report import ShadowReport
from viridian.rollout.context import RolloutContext
from viridian.rollout.observed import Evidence
from viridian.rollout.shadow import (
    arrived,
    begun,
    describe,
    describe_report,
    intended_shadow,
    shadow_sentence,
    tells_pods,
    unmirrored,
)
from viridian_shared.shadow import Shadow

COPIES = str(Shadow("iris-2", 0.5))
OVER = Outage(since=START, failed_over_at=START)


def shadowed(spec: dict[str, Any] | None = None, **parts: Any) -> RolloutContext:
    """A shadow step that is in the route."""
    given = {"step": step(weight=0, shadow="50%"), "weight": 0, "seen": {"route": route(0, shadow=COPIES)}, **parts}
    return look(spec, **given)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (shadowed(), COPIES),
        (shadowed(step=step()), None),
        (shadowed(step=None), None),
        (shadowed(candidate=None), None),
        (shadowed(green=pods("iris-2", 0)), None),
        (shadowed(green=pods("iris-2", 1)), COPIES),
        (shadowed(outage=OVER), None),
        (shadowed(outage=Outage(since=START)), COPIES),
        (shadowed(aborting="iris-2"), None),
        (shadowed(phase=Phase.FINISHING), None),
        (shadowed({"traffic": {}}), None),
        (shadowed(ending=Ending(phase=Phase.EXPIRED, reason="r", message="m"), step=None), None),
    ],
)
def test_what_pods_are_to_mirror(given: RolloutContext, told: str | None) -> None:
    assert intended_shadow(given) == told
    assert tells_pods(given) is (told == COPIES)


@pytest.mark.parametrize(
    ("given", "tells"),
    [
        (look(), True),
        (look(weight=None), False),
        (look(seen={"route": route(10, shadow=COPIES)}), False),
        (look(seen={"route": route(10, shadow="")}), False),
        (shadowed(seen={"route": route(0)}), False),
    ],
)
def test_whether_the_route_says_so(given: RolloutContext, tells: bool) -> None:
    assert tells_pods(given) is tells


def test_copies_count_in_a_shadow_step_and_requests_in_any_other() -> None:
    given = look(says={"requests": {"iris-2": 7}, "mirrored": {"iris-2": 9}})
    assert arrived(given, step()) == 7
    assert arrived(given, step(weight=0, shadow="50%")) == 9


@pytest.mark.parametrize(("mirrored", "verified"), [(4, False), (5, False), (6, True)])
def test_the_first_copy_in_the_step_begins_its_hold(mirrored: int, verified: bool) -> None:
    now = START + timedelta(seconds=9)
    after = begun(step(weight=0, shadow="50%", requests_before=5), mirrored, now)
    assert (after.verified_at, after.requests_before) == (now if verified else None, mirrored)


NONE_CAME = (
    "v1.0.0 has answered {} requests, and no copy has reached the candidate: its serving image may be an earlier one,"
    " which mirrors nothing, or a NetworkPolicy keeps its pods from the candidate's"
)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (shadowed(says={"requests": {"iris-1": 39}}), ""),
        (shadowed(says={"requests": {"iris-1": 40}}), NONE_CAME.format(40)),
        (shadowed(says={"requests": {"iris-1": 1500}}), NONE_CAME.format("1,500")),
        (shadowed(says={"requests": {"iris-1": 40}}, now=5.9), ""),
        (shadowed(says={"requests": {"iris-1": 40}}, now=6), NONE_CAME.format(40)),
        (shadowed(says={"requests": {"iris-1": 40}}, stable=None), ""),
        (
            shadowed(
                says={"requests": {"iris-1": 140}},
                step=step(weight=0, shadow="50%", stable_requests_before=100),
            ),
            NONE_CAME.format(40),
        ),
        (
            shadowed(
                says={"requests": {"iris-1": 139}},
                step=step(weight=0, shadow="50%", stable_requests_before=100),
            ),
            "",
        ),
    ],
)
def test_when_no_copy_is_no_accident(given: RolloutContext, said: str) -> None:
    assert given.status.step is not None
    assert unmirrored(given, given.status.step) == said


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (ShadowReport(), ""),
        (ShadowReport(agreed=10), "agreed on 100 % of 10 mirrored requests"),
        (ShadowReport(agreed=19999, disagreed=1), "agreed on 99.9 % of 20,000 mirrored requests"),
        (ShadowReport(disagreed=1), "agreed on 0.0 % of 1 mirrored requests"),
        (ShadowReport(failed=1200), "1,200 mirrored requests failed"),
        (ShadowReport(agreed=10, failed=1200), "agreed on 100 % of 10 mirrored requests; 1,200 more failed"),
        (ShadowReport(dropped=1200), "1,200 were not sent, since too many were waiting"),
        (ShadowReport(p95=0.0123456, stable_p95=2.34567), "P95 12.3 ms against 2.35 s"),
        (ShadowReport(p95=1.0, stable_p95=0.9999), "P95 1 s against 1e+03 ms"),
        (ShadowReport(p95=0.1), ""),
        (ShadowReport(stable_p95=0.1), ""),
    ],
)
def test_a_report_in_words(report: ShadowReport, words: str) -> None:
    assert describe_report(report) == words
    assert describe(look(says={"shadow": report})) == words


def test_a_report_is_of_the_candidate_that_is_there() -> None:
    status, report = look().status, Evidence(shadow=ShadowReport(agreed=10))
    assert shadow_sentence(status, report) == "v2.0.0 agreed on 100 % of 10 mirrored requests"
    assert shadow_sentence(status, Evidence(shadow=ShadowReport())) == ""
    assert shadow_sentence(status, Evidence()) == ""
    assert shadow_sentence(ModelDeploymentStatus(), report) == ""
    assert describe(look()) == ""
