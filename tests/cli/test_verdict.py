"""`kubectl viridian wait`: every way in which a rollout ends, and that nothing is said before it has."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from tests.cli.worlds import RecordedWorld, printed
from tests.rollout.world import spec_for

from viridian.api.names import Color
from viridian.api.status import CheckResult, Phase
from viridian.cli.model import Model
from viridian.cli.verdict import _OUTCOMES, Outcome, Verdict, verdict_on
from viridian.guards.judge import Verdict as GuardVerdict

IMPATIENT = {"metricsMissing": {"after": "1m", "then": "Rollback"}, "noTraffic": {"after": "30s", "then": "Rollback"}}


def at_stable(**changes: object) -> RecordedWorld:
    world = RecordedWorld(spec_for("v1.0.0", **changes))
    world.until(Phase.STABLE)
    return world


def ask_for(world: RecordedWorld, version: str = "v2.0.0", **changes: object) -> None:
    world.edit(spec_for(version, **changes))


def promoted(world: RecordedWorld) -> None:
    ask_for(world)
    world.until(Phase.STABLE)


def breached(world: RecordedWorld) -> None:
    ask_for(world)
    world.until(Phase.PROGRESSING)
    world.verdicts["iris-2"] = GuardVerdict.BREACH
    world.until(Phase.ROLLED_BACK)


def fails_a_check(world: RecordedWorld) -> None:
    ask_for(world, checks={"smoke": True})
    for _ in range(20):
        world.end_jobs(CheckResult.FAILED, "2 of 3 answers were wrong")
        world.kubelet(healthy=frozenset({"iris-1", "iris-2"}))
        world.reconcile()
        world.traffic()
    assert world.status.phase is Phase.ROLLED_BACK


def crashes(world: RecordedWorld) -> None:
    ask_for(world)
    world.until(Phase.PROGRESSING)
    for _ in range(20):
        green = world.pods[Color.GREEN]
        world.pods[Color.GREEN] = [replace(pod, deaths=2, death="triton: killed", ready=False) for pod in green]
        world.reconcile()
        world.kubelet(healthy=frozenset({"iris-1"}))
        world.traffic()
    assert world.status.phase is Phase.ROLLED_BACK


def aborted(world: RecordedWorld) -> None:
    ask_for(world)
    world.until(Phase.PROGRESSING)
    world.command = "abort/iris-2/1"
    world.until(Phase.ROLLED_BACK)


def rolled_back_by_command(world: RecordedWorld) -> None:
    promoted(world)
    world.models.clear()  # until here it was promoted
    world.command = "rollback/iris-2/1"
    world.until(Phase.STARTING, Phase.FINISHING)
    world.until(Phase.ROLLED_BACK)


def out_of_time(world: RecordedWorld) -> None:
    ask_for(world)
    world.until(Phase.PROGRESSING)
    world.gateway = False
    world.until(Phase.EXPIRED)


def without_metrics(world: RecordedWorld) -> None:
    ask_for(world, guards=IMPATIENT)
    world.until(Phase.PROGRESSING)
    world.metrics = False
    world.until(Phase.EXPIRED)


def replaced(world: RecordedWorld) -> None:
    ask_for(world)
    world.until(Phase.PROGRESSING)
    ask_for(world, "v3.0.0")
    world.until(Phase.BAKING)
    assert world.status.history[0].result == "Replaced"


def reverted(world: RecordedWorld) -> None:
    ask_for(world)
    world.until(Phase.PROGRESSING)
    ask_for(world, "v1.0.0")
    world.until(Phase.STABLE)


def replaced_after_the_bake(world: RecordedWorld) -> None:
    """The newer one waits until the bake is over, so this one is promoted first."""
    ask_for(world)
    world.until(Phase.BAKING)
    ask_for(world, "v3.0.0")
    for _ in range(60):
        world.pass_by(1)
        if world.status.stable and world.status.stable.version == "v2.0.0":
            return
    raise AssertionError("v2.0.0 was not promoted")


def failed_in_the_bake_while_a_newer_one_waits(world: RecordedWorld) -> None:
    ask_for(world)
    world.until(Phase.BAKING)
    ask_for(world, "v3.0.0")
    world.pass_by(1)
    world.verdicts["iris-2"] = GuardVerdict.BREACH
    world.pass_by(1)


@dataclass(frozen=True)
class Case:
    play: Callable[[RecordedWorld], None]
    outcome: Outcome
    reason: str
    spec: dict[str, object]


def case(play: Callable[[RecordedWorld], None], outcome: Outcome, reason: str, **spec: object) -> Case:
    return Case(play, outcome, reason, spec)


ENDINGS = [
    case(promoted, Outcome.PROMOTED, "Promoted"),
    case(promoted, Outcome.PROMOTED, "Promoted", traffic={}, rollout={"bake": {"duration": "10s"}}),
    case(breached, Outcome.TURNED_BACK, "GuardBreached"),
    case(fails_a_check, Outcome.TURNED_BACK, "ChecksFailed"),
    case(crashes, Outcome.TURNED_BACK, "PodsCrash"),
    case(aborted, Outcome.TURNED_BACK, "Aborted"),
    case(rolled_back_by_command, Outcome.TURNED_BACK, "RolledBackByCommand"),
    case(out_of_time, Outcome.EXPIRED, "DeadlineExceeded"),
    case(without_metrics, Outcome.EXPIRED, "MetricsMissing"),
    case(replaced, Outcome.SUPERSEDED, "Replaced"),
    case(reverted, Outcome.SUPERSEDED, "Reverted"),
    case(replaced_after_the_bake, Outcome.PROMOTED, "Promoted"),
    case(failed_in_the_bake_while_a_newer_one_waits, Outcome.TURNED_BACK, "GuardBreached"),
]


def said(models: list[Model], version: str) -> list[tuple[Outcome, str]]:
    """What is said at each moment, without repetitions and without what is open."""
    verdicts = [verdict for model in models if (verdict := verdict_on(model, version)) is not None]
    return list(dict.fromkeys((verdict.outcome, verdict.reason) for verdict in verdicts))


@pytest.mark.parametrize("case", ENDINGS, ids=lambda case: case.play.__name__)
def test_each_end_has_its_outcome_and_nothing_else_is_said_on_the_way(case: Case) -> None:
    # given
    world = at_stable(**case.spec)
    world.models.clear()
    # when
    case.play(world)
    # then
    verdict = verdict_on(world.models[-1], "v2.0.0")
    assert verdict is not None
    assert verdict.message
    assert {outcome for outcome, _ in said(world.models, "v2.0.0")} == {case.outcome}
    assert case.reason in {reason for _, reason in said(world.models, "v2.0.0")}
    assert verdict_on(world.models[0], "v2.0.0") is None or case.play is rolled_back_by_command


def test_a_first_revision_is_promoted_after_its_bake() -> None:
    world = RecordedWorld(spec_for("v1.0.0"))
    world.until(Phase.BAKING)
    assert said(world.models, "v1.0.0") == []
    world.until(Phase.STABLE)
    assert said(world.models, "v1.0.0") == [(Outcome.PROMOTED, "Promoted")]


def test_a_first_revision_that_fails_was_turned_back_although_it_serves() -> None:
    world = RecordedWorld(spec_for("v1.0.0"))
    world.until(Phase.BAKING)
    world.says = {"judgements": (_breach(),)}
    world.until(Phase.HELD)
    assert said(world.models, "v1.0.0") == [(Outcome.TURNED_BACK, "GuardBreached")]


def test_a_status_that_does_not_speak_of_this_spec_yet_decides_nothing() -> None:
    # given v2 was rolled back before, and v1 is asked for again and serves
    world = at_stable()
    breached(world)
    ask_for(world, "v1.0.0")
    world.until(Phase.STABLE)
    # when v2 comes with other settings, so as another revision
    ask_for(world, "v2.0.0", serving={"replicas": 3, "timeout": "5s"})
    # then the old verdict is not taken for it: neither before the operator has seen it, nor while it runs
    assert verdict_on(printed(world), "v2.0.0") is None
    world.models.clear()
    world.until(Phase.PROGRESSING)
    assert said(world.models, "v2.0.0") == []
    world.until(Phase.STABLE)
    assert said(world.models, "v2.0.0") == [(Outcome.PROMOTED, "Promoted")]


def test_a_promotion_of_the_same_version_long_ago_is_not_taken_for_this_one() -> None:
    # given v1 was promoted, then v2, and v1 is asked for again
    world = at_stable()
    promoted(world)
    world.models.clear()
    ask_for(world, "v1.0.0")
    world.until(Phase.PROGRESSING)
    assert said(world.models, "v1.0.0") == []
    # when it fails this time
    world.verdicts["iris-3"] = GuardVerdict.BREACH
    world.until(Phase.ROLLED_BACK)
    # then that is what is said
    assert said(world.models, "v1.0.0") == [(Outcome.TURNED_BACK, "GuardBreached")]


def test_another_revision_of_the_same_version_that_replaces_one_is_waited_for() -> None:
    # given v1 serves; it is asked for with other settings, and again with others
    world = at_stable()
    world.models.clear()
    ask_for(world, "v1.0.0", serving={"replicas": 3, "timeout": "5s"})
    world.until(Phase.PROGRESSING)
    ask_for(world, "v1.0.0", serving={"replicas": 3, "timeout": "6s"})
    world.until(Phase.PROGRESSING)
    assert world.status.history[0].result == "Replaced"
    # then neither the one that was replaced nor the old stable is taken for the new one
    assert said(world.models, "v1.0.0") == []


def test_an_earlier_failure_of_the_same_version_is_not_the_reason_for_which_it_expired() -> None:
    # given v2 failed, and is asked for again with other settings
    world = at_stable()
    breached(world)
    ask_for(world, "v2.0.0", serving={"replicas": 3, "timeout": "5s"})
    world.until(Phase.PROGRESSING)
    # when that runs out of time
    world.gateway = False
    world.until(Phase.EXPIRED)
    # then
    verdict = verdict_on(printed(world), "v2.0.0")
    assert verdict is not None
    assert (verdict.outcome, verdict.reason) == (Outcome.EXPIRED, "DeadlineExceeded")


def test_a_version_that_another_one_followed_is_superseded_though_it_was_promoted() -> None:
    world = at_stable()
    promoted(world)
    assert verdict_on(printed(world), "v1.0.0") == Verdict(
        Outcome.SUPERSEDED, "Replaced", "the spec asks for v2.0.0 now: apply v1.0.0 again if it is what you want"
    )


def test_a_version_that_serves_was_promoted_even_when_another_one_is_asked_for() -> None:
    world = at_stable()
    ask_for(world)
    world.until(Phase.PROGRESSING)
    verdict = verdict_on(printed(world), "v1.0.0")
    assert verdict is not None
    assert verdict.outcome is Outcome.PROMOTED


def test_a_version_that_comes_back_by_command_is_restored_and_the_spec_s_is_turned_back() -> None:
    world = at_stable()
    promoted(world)
    world.command = "rollback/iris-2/1"
    world.until(Phase.STARTING, Phase.FINISHING)
    world.until(Phase.ROLLED_BACK)
    verdict = verdict_on(printed(world), "v1.0.0")
    assert verdict is not None
    assert (verdict.outcome, verdict.reason) == (Outcome.PROMOTED, "Restored")


def test_a_version_that_waits_for_a_gateway_or_for_a_person_is_open() -> None:
    barred = RecordedWorld(spec_for("v1.0.0"), gateway_problem="Gateway public does not exist")
    barred.until(Phase.STALLED)
    assert said(barred.models, "v1.0.0") == []
    paused = at_stable()
    ask_for(paused)
    paused.until(Phase.PROGRESSING)
    paused.command = "pause/iris-2/1"
    paused.until(Phase.HELD)
    assert verdict_on(printed(paused), "v2.0.0") is None


def test_every_result_that_the_history_can_have_has_an_outcome() -> None:
    text = spec_of_results()
    assert set(_OUTCOMES) == {word.strip(" .") for word in text.replace(" or ", ", ").split(",")}


def spec_of_results() -> str:
    from viridian.api.status import HistoryEntry

    return str(HistoryEntry.model_fields["result"].description)


def _breach() -> object:
    from tests.rollout.world import judgement

    return judgement(GuardVerdict.BREACH)
