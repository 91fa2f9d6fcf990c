"""Argo CD's health check and actions, over everything that a model can go through."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import invariant
from tests.gitops.argocd import ACTIONS, Health, act, as_lua_has_it, enabled, health, resource
from tests.rollout.scenes import at_stable, at_step, pass_by, rolling, run_until
from tests.rollout.test_invariants import Rollouts
from tests.rollout.world import NAME, SETTINGS, World, spec_for

from viridian.api.revision import RevisionInput
from viridian.api.status import Condition, Phase
from viridian.guards.judge import Verdict
from viridian.rollout.commands import pending_command, refusal
from viridian.rollout.conditions import with_problem
from viridian.rollout.context import CLOCK_STOPS, RolloutContext

POLICIES = {"metricsMissing": {"after": "1m", "then": "Rollback"}, "noTraffic": {"after": "1m", "then": "Hold"}}
COMMAND, GIVEN_BY = "viridian.dev/command", "viridian.dev/command-by"


def approving(gate: str) -> dict[str, object]:
    """A spec's rollout with a gate."""
    return {"rollout": {**spec_for().rollout.manifest(), "approval": gate}}


def click(world: World, action: str) -> None:
    """Somebody chooses an action in Argo CD."""
    obj = resource(world)
    assert action in enabled(obj)
    world.command = act(action, obj)["metadata"]["annotations"][COMMAND]


# ---------------------------------------------------------------------- what people see


def rolled_back() -> World:
    world = at_step()
    world.verdicts["iris-2"] = Verdict.BREACH
    run_until(world, Phase.ROLLED_BACK)
    return world


def expired() -> World:
    world = at_step()
    world.gateway = False
    for _ in range(3):
        world.traffic(seconds=400)
        world.kubelet()
        world.reconcile()
    run_until(world, Phase.EXPIRED)
    return world


def paused() -> World:
    world = at_step()
    click(world, "pause")
    pass_by(world, 2)
    return world


def awaiting(gate: str = "BeforeTraffic") -> World:
    world = at_stable()
    world.edit(spec_for("v2.0.0", **approving(gate)))
    run_until(world, Phase.HELD)
    return world


def first_revision() -> World:
    world = World()
    run_until(world, Phase.STARTING)
    return world


def without_gateway() -> World:
    world = World(gateway_problem="Gateway public does not exist")
    world.reconcile()
    return world


def edited() -> World:
    world = rolled_back()
    world.edit(spec_for("v3.0.0"))
    return world


def promoted() -> World:
    world = rolling(Phase.PROGRESSING)
    run_until(world, Phase.STABLE)
    return world


def fixed() -> World:
    world = edited()
    world.settle()
    return world


@pytest.mark.parametrize(
    ("scene", "status", "says", "actions"),
    [
        (World, "Progressing", "has not seen", set()),
        (first_revision, "Progressing", "Starting", {"pause"}),
        (at_stable, "Healthy", "v1.0.0 serves", set()),
        (at_step, "Progressing", "v2.0.0 is at step 1 of 2", {"pause", "abort", "promote"}),
        (paused, "Suspended", "Paused", {"resume", "abort", "promote"}),
        (awaiting, "Suspended", "AwaitingApproval", {"approve", "pause", "abort", "promote"}),
        (promoted, "Healthy", "v2.0.0 serves", {"rollback"}),
        (rolled_back, "Degraded", "GuardBreached", {"retry"}),
        (expired, "Degraded", "DeadlineExceeded", {"retry"}),
        (edited, "Progressing", "has not seen", set()),
        (fixed, "Healthy", "v3.0.0 serves", {"rollback"}),
        (without_gateway, "Degraded", "GatewayNotFound", {"pause"}),
    ],
)
def test_what_argo_cd_shows(scene, status, says, actions) -> None:
    # given
    obj = resource(scene())
    # when
    shown = health(obj)
    # then
    assert shown.status == status
    assert says in shown.message
    assert enabled(obj) == actions


@pytest.mark.parametrize(
    "missing", [{}, {"status": {}}, {"status": {"conditions": []}}, {"status": {"phase": "Stable"}}]
)
def test_a_resource_without_conditions_is_in_progress(missing) -> None:
    obj = {key: value for key, value in resource(at_stable()).items() if key != "status"} | missing
    assert health(obj).status == "Progressing"
    assert enabled(obj) == set()


def test_a_spec_that_the_operator_cannot_read_is_degraded_although_the_status_is_older() -> None:
    # given
    world = at_stable()
    world.edit(spec_for("v2.0.0"))
    # when
    world.status = with_problem(world.status, "InvalidSpec", "spec.model: no", world.generation, world.now)
    # then
    assert world.status.observed_generation < world.generation
    assert health(resource(world)) == Health("Degraded", "InvalidSpec: spec.model: no")


@pytest.mark.parametrize(("fix", "rolls_out"), [("v2.0.1", True), ("v1.0.0", False)])
def test_a_bad_commit_is_rolled_back_once_and_the_next_one_counts(fix: str, rolls_out: bool) -> None:
    # given a commit that was rolled back
    world = rolled_back()
    pass_by(world, 20)
    before, shown = world.writes, health(resource(world))

    # when it is synchronised again
    world.edit(spec_for("v2.0.0"))
    pass_by(world, 20)

    # then nothing moves, and it is still the reason that is shown
    assert world.writes == before
    assert health(resource(world)) == shown
    assert shown.status == "Degraded"

    # and when the fix, or the revert, is synchronised
    weights = len(world.weights_seen)
    world.edit(spec_for(fix))
    pass_by(world)
    world.settle()

    # then that one serves, and the revert needed no rollout
    assert health(resource(world)).status == "Healthy"
    assert world.status.stable is not None
    assert world.status.stable.version == fix
    assert (len(world.weights_seen) > weights) is rolls_out


# ---------------------------------------------------------------------- what people do


def test_there_is_an_action_for_each_entry_of_the_discovery() -> None:
    assert ACTIONS == ["abort", "approve", "pause", "promote", "resume", "retry", "rollback"]


@pytest.mark.parametrize(
    ("scene", "action", "phase"),
    [
        (awaiting, "approve", Phase.STABLE),
        (paused, "resume", Phase.STABLE),
        (at_step, "abort", Phase.ROLLED_BACK),
        (expired, "retry", Phase.STABLE),
    ],
)
def test_an_action_leads_where_it_says(scene, action, phase) -> None:
    # given
    world = scene()
    # when
    click(world, action)
    world.gateway = True
    pass_by(world, 2)
    world.settle()
    # then
    assert world.status.last_command == world.command
    assert world.status.phase is phase
    assert world.status.candidate is None


def test_rollback_brings_back_what_served_before() -> None:
    # given
    world = promoted()
    # when
    click(world, "rollback")
    world.reconcile()
    world.settle()
    # then
    assert world.status.stable.version == "v1.0.0"


def test_retry_names_the_last_of_the_revisions_of_this_version() -> None:
    # given two revisions of one version that failed, by another timeout each
    world = rolled_back()
    world.edit(spec_for("v2.0.0", serving={"replicas": 3, "timeout": "7s"}))
    run_until(world, Phase.PROGRESSING)
    world.verdicts["iris-3"] = Verdict.BREACH
    run_until(world, Phase.ROLLED_BACK)
    assert {blocked.revision for blocked in world.status.failed} == {"iris-2", "iris-3"}
    # when
    click(world, "retry")
    # then
    assert world.command.startswith("retry/iris-3/")


def test_a_second_click_repeats_the_command_only_while_nothing_has_changed() -> None:
    # given
    world = at_step()
    before = resource(world)
    # when
    first, again = (act("pause", before)["metadata"]["annotations"][COMMAND] for _ in range(2))
    click(world, "pause")
    pass_by(world)
    click(world, "resume")
    pass_by(world)
    later = act("pause", resource(world))["metadata"]["annotations"][COMMAND]
    # then
    assert first == again
    assert later != first


# ---------------------------------------------------------------------- whatever happens


class Watched(Rollouts):
    """A model's life with somebody at Argo CD, who looks after every step."""

    @invariant()
    def argo_cd_is_right(self) -> None:
        if (world := getattr(self, "world", None)) is not None:
            hold_argo_cd_against(world)

    def teardown(self) -> None:
        """`Rollouts` itself plays to the end."""


Watched.TestCase.settings = settings(
    derandomize=True,
    max_examples=8,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestWatched = Watched.TestCase

MOVES = st.lists(
    st.one_of(
        st.tuples(
            st.just("edit"),
            st.sampled_from(("v1.0.0", "v2.0.0", "v3.0.0")),
            st.sampled_from(("None", "None", "BeforeTraffic", "BeforePromotion")),
        ),
        st.tuples(st.just("pass"), st.sampled_from((1, 4, 16))),
        st.tuples(st.just("click"), st.integers(0, 6)),
        st.tuples(st.sampled_from(("breach", "crash", "late"))),
        st.tuples(st.just("switch"), st.sampled_from(("gateway", "metrics", "no-such-gateway"))),
    ),
    max_size=14,
)


def play(world: World, move: tuple[object, ...]) -> None:
    candidate = world.status.candidate
    match move:
        case ("edit", version, gate):
            world.edit(spec_for(str(version), guards=POLICIES, **approving(str(gate))))
        case ("pass", passes):
            for _ in range(int(str(passes))):
                pass_by(world)
                hold_argo_cd_against(world)
        case ("click", number) if actions := sorted(enabled(resource(world))):
            click(world, actions[int(str(number)) % len(actions)])
        case ("breach",) if candidate is not None:
            world.verdicts[candidate.revision] = Verdict.BREACH
        case ("crash",) if candidate is not None and (pods := world.pods[candidate.color]):
            pods[0] = replace(pods[0], ready=False, deaths=2)
        case ("late",):
            world.traffic(seconds=700)
        case ("switch", what):
            switch(world, str(what))


def switch(world: World, what: str) -> None:
    """A part around the model fails, or works again."""
    if what == "no-such-gateway":
        world.gateway_problem = None if world.gateway_problem else "Gateway public does not exist"
    else:
        setattr(world, what, not getattr(world, what))


@settings(derandomize=True, max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MOVES)
def test_argo_cd_is_right_whatever_people_and_models_do(moves: list[tuple[object, ...]]) -> None:
    # given
    world = promoted()
    for move in moves:
        # when
        play(world, move)
        world.reconcile()
        # then
        hold_argo_cd_against(world)


def hold_argo_cd_against(world: World) -> None:
    """Health against the status, and the actions against the operator."""
    hold_health_against_the_status(world)
    hold_actions_against_the_operator(world)


def hold_health_against_the_status(world: World) -> None:
    shown, status = health(resource(world)), world.status
    seen = bool(status.conditions) and status.observed_generation == world.generation
    if not seen:
        assert shown.status == "Progressing"
        return
    ready, stalled = condition(world, "Ready"), condition(world, "Stalled")
    if shown.status == "Healthy":
        assert ready.status == "True"
        assert status.phase is Phase.STABLE
    ended = how_it_ended(world)
    waits = status.hold is not None and status.hold.reason in CLOCK_STOPS
    if ended:
        assert shown.status == "Degraded"
        # What keeps the model from going on now is named first, and may hide how the last rollout ended.
        assert (world.gateway_problem or ended) in shown.message
    assert (shown.status == "Degraded") == (stalled.status == "True")
    if shown.status != "Degraded":
        assert (shown.status == "Suspended") == waits


def how_it_ended(world: World) -> str:
    """The reason for which the revision that the spec asks for was turned back; empty if it was not."""
    status, wanted = world.status, RevisionInput.of(world.spec)
    lists = {Phase.ROLLED_BACK: status.failed, Phase.EXPIRED: status.expired}
    for blocked in lists.get(status.phase, []):
        stored = world.revisions.get(blocked.revision)
        if stored is not None and stored.input == wanted:
            return blocked.reason
    return ""


def condition(world: World, kind: str) -> Condition:
    return next(each for each in world.status.conditions if each.type == kind)


def hold_actions_against_the_operator(world: World) -> None:
    obj = resource(world)
    for action in enabled(obj):
        changed = act(action, obj)
        annotations = changed["metadata"].pop("annotations")
        observed = replace(world.observe(), command=annotations[COMMAND], command_by=annotations[GIVEN_BY])
        context = RolloutContext(NAME, world.spec, world.status, observed, SETTINGS, world.now)
        assert refusal(context) is None
        command = pending_command(context)
        assert command is not None
        assert command.verb == action
        before = as_lua_has_it(obj)
        before["metadata"].pop("annotations", None)
        assert changed == before
