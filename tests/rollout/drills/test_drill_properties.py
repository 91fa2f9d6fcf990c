"""Whatever happens: never a drill during a rollout, never two, and nothing of one is left in the end."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.rollout.drills.exercise import Exercise, drilled_spec, exercise

from viridian.api.status import Phase
from viridian.rollout.drills.seen import Preflight, TrafficState, TrafficView
from viridian_shared.drill import DrillKind


class Interrupted(RuleBasedStateMachine):
    """A model, its users, a person with kubectl, a twin that does what it likes, and an operator that may die.

    `Exercise.apply_to_twin` holds each write against what a drill must never do.
    """

    world: Exercise
    versions = 1
    commands = 0

    @initialize()
    def begin(self) -> None:
        self.world = exercise()

    @rule(dies=st.booleans(), seconds=st.sampled_from([1, 30, 3600, 7 * 24 * 3600]))
    def look(self, dies: bool, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)
        self.world.kubelet()
        self.world.look(dies=dies)
        self.world.traffic()

    @rule()
    def time_comes(self) -> None:
        if self.world.drill.next is not None:
            self.world.now = max(self.world.now, self.world.drill.next)
            self.world.look()

    @rule(kind=st.sampled_from(DrillKind))
    def command(self, kind: DrillKind) -> None:
        stable = self.world.status.stable
        self.commands += 1
        self.world.command = f"drill/{stable.revision if stable else 'none'}:{kind}/{self.commands}"

    @rule()
    def another_version(self) -> None:
        self.versions += 1
        self.world.edit(drilled_spec(f"v{self.versions}.0.0"))

    @rule(found=st.sampled_from([Preflight(), Preflight(incident="burning"), Preflight(room="no room")]))
    def surroundings(self, found: Preflight) -> None:
        self.world.preflight = found

    @rule(why=st.sampled_from(["", "forbidden"]))
    def refuse(self, why: str) -> None:
        self.world.refused_write = why

    @precondition(lambda self: self.world.twin is not None and not self.world.twin.going)
    @rule(phase=st.sampled_from(Phase), seconds=st.integers(0, 100))
    def twin_gets_on(self, phase: Phase, seconds: int) -> None:
        world = self.world
        if world.twin is None:
            return
        if phase is Phase.STABLE:
            world.settles()
        elif phase is Phase.ROLLED_BACK and world.twin.spoiled is not None:
            world.is_turned_back(timedelta(seconds=seconds))
        else:
            world.twin = replace(world.twin, phase=phase)

    @precondition(lambda self: self.world.sender is not None)
    @rule(state=st.sampled_from(TrafficState))
    def traffic_gets_on(self, state: TrafficState) -> None:
        self.world.sender = TrafficView(state, since=self.world.now)

    @precondition(lambda self: self.world.twin is not None)
    @rule()
    def twin_is_deleted(self) -> None:
        self.world.twin = None
        self.world.sender = None

    @rule()
    def status_is_lost(self) -> None:
        self.world.status = self.world.status.model_copy(update={"drill": None})

    def teardown(self) -> None:
        """Let the operator work undisturbed, with no drill due: nothing is left of any."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.spec = world.spec.model_copy(update={"drill": None})
        world.preflight, world.command, world.refused_write = Preflight(incident="no more drills"), "", ""
        for _ in range(40):
            world.now += timedelta(minutes=2)
            world.go_on(1)
            if world.twin is not None and world.twin.going:
                world.is_gone()
        assert world.twin is None
        assert world.drill.running is None


TestInterrupted = Interrupted.TestCase
TestInterrupted.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
