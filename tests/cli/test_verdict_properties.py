"""Whatever people, models and metrics do: a verdict on the wanted version is true of the wanted revision."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cli.worlds import RecordedWorld, printed
from tests.rollout.world import spec_for

from viridian.api.revision import RevisionInput
from viridian.api.rollout import PromotionWatch
from viridian.api.status import Phase
from viridian.cli.verdict import Outcome, is_known, verdict_on
from viridian.guards.judge import Verdict as GuardVerdict

GUARDS = {"metricsMissing": {"after": "1m", "then": "Rollback"}, "noTraffic": {"after": "1m", "then": "Rollback"}}
VERSIONS = ("v1.0.0", "v2.0.0")
moves = st.lists(
    st.one_of(
        st.tuples(st.just("edit"), st.sampled_from(VERSIONS), st.sampled_from(("5s", "6s"))),
        st.tuples(st.just("watch"), st.booleans()),
        st.tuples(st.just("pass"), st.integers(1, 30)),
        st.tuples(st.sampled_from(("breach", "abort", "approve", "retry", "rollback", "metrics", "gateway"))),
    ),
    max_size=14,
)


def play(world: RecordedWorld, move: tuple[object, ...], number: int) -> None:
    match move:
        case ("edit", version, timeout):
            serving, rollout = {"replicas": 3, "timeout": timeout}, world.spec.rollout.manifest()
            world.edit(spec_for(str(version), serving=serving, guards=GUARDS, rollout=rollout))
        case ("watch", wanted):
            bake = world.spec.rollout.bake.model_copy(
                update={"watch": PromotionWatch(duration="1h") if wanted else None}
            )
            rollout = world.spec.rollout.model_copy(update={"bake": bake})
            world.edit(world.spec.model_copy(update={"rollout": rollout}))
        case ("pass", passes):
            world.pass_by(int(str(passes)))
        case ("metrics",):
            world.metrics = not world.metrics
        case ("gateway",):
            world.gateway = not world.gateway
        case (str(verb),):
            speak(world, verb, number)


def speak(world: RecordedWorld, verb: str, number: int) -> None:
    """The guards find a fault, or a person gives a command, where there is something that it could be about."""
    status = world.status
    match verb:
        case "breach" if world.judged is not None:
            world.verdicts[world.judged.revision] = GuardVerdict.BREACH
        case "abort" if world.judged is not None:
            world.command = f"abort/{world.judged.revision}/{number}"
        case "approve" if status.watch is not None and status.stable is not None:
            world.command = f"approve/{status.stable.revision}/{number}"
        case "retry" if status.failed or status.expired:
            world.command = f"retry/{[*status.failed, *status.expired][0].revision}/{number}"
        case "rollback" if status.stable is not None:
            world.command = f"rollback/{status.stable.revision}/{number}"


def hold_against_the_world(world: RecordedWorld) -> None:
    """What is said of the wanted version against what the world knows of revisions, and a resource does not show."""
    wanted, status, model = RevisionInput.of(world.spec), world.status, printed(world)
    verdict = verdict_on(model, world.spec.model.version)
    inputs = {name: revision.input for name, revision in world.revisions.items()}
    # Whatever was asked for and began is known, so that a replacement is never taken for a typing error.
    assert all(
        is_known(model, version) for version in {wanted.model.version, *(one.model.version for one in inputs.values())}
    )
    assert not is_known(model, "v9.9.9")
    if verdict is None:
        return
    assert status.observed_generation == world.generation
    if verdict.outcome is Outcome.PROMOTED:
        assert status.stable is not None
        # A newer revision of the version waits until this one, which was asked for by the same version, has taken over.
        just_promoted = status.history[0].revision == status.stable.revision and status.history[0].result == "Promoted"
        assert inputs[status.stable.revision] == wanted or just_promoted
    elif verdict.reason != "GuardBreached" or status.phase is not Phase.HELD:
        ended = status.expired if verdict.outcome is Outcome.EXPIRED else status.failed
        assert wanted in [inputs[blocked.revision] for blocked in ended if blocked.revision in inputs]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(moves)
def test_a_verdict_is_true_of_the_revision_that_the_spec_asks_for(plays: list[tuple[object, ...]]) -> None:
    # given
    world = RecordedWorld(spec_for("v1.0.0", serving={"replicas": 3, "timeout": "5s"}, guards=GUARDS))
    world.until(Phase.STABLE)
    for number, move in enumerate(plays):
        # when
        play(world, move, number)
        # then
        hold_against_the_world(world)
        for _ in range(6):
            world.pass_by(1)
            hold_against_the_world(world)
