"""The invariants, held against everything that users, pods, metrics and dying operators can do in any order."""

import itertools
import os
from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.rollout.scenes import AT_REST
from tests.rollout.strategies import VERSIONS, specs
from tests.rollout.world import SETTINGS, Pass, World

from viridian.api.names import Color
from viridian.api.rollout import Approval
from viridian.api.status import CheckResult, Phase
from viridian.guards.judge import Verdict
from viridian.rollout.commands import Verb
from viridian.rollout.context import CLOCK_STOPS
from viridian.rollout.observed import Pod
from viridian.rollout.planning.actions import MoveWeights

OPERATORS = ("one", "other")


class Rollouts(RuleBasedStateMachine):
    """A model's life. `World.apply` raises when a write breaks an invariant; the rest is checked after every step.

    Two operators take turns in leading. One that leads no more may still have writes under way, as a process that was
    frozen has; its successor has touched what they go to, and they must not land.
    """

    @initialize(spec=specs(), smoke=st.booleans())
    def create(self, spec, smoke):
        self.world = World(spec, replace(SETTINGS, smoke=smoke))
        self.passes: dict[str, Pass] = {}
        self.leader = OPERATORS[0]
        self.nonces = itertools.count()

    @property
    def is_quiet(self) -> bool:
        """Whether no operator is in the middle of its writes."""
        return not any(making.left for making in self.passes.values())

    # ------------------------------------------------------------------ the operators

    @rule()
    def reconcile(self):
        self.world.reconcile()

    @rule(writes=st.integers(0, 3))
    def die_in_the_middle(self, writes):
        """Killed, or cut off from the answer to its last write."""
        self.world.reconcile(writes=writes)

    @rule()
    def look(self):
        """The leader decides, and writes later."""
        self.passes[self.leader] = self.world.begin()

    @rule(operator=st.sampled_from(OPERATORS))
    def write(self, operator):
        making = self.passes.get(operator)
        if making is not None and making.left:
            landed = making.step()
            assert not landed or operator == self.leader, "a write of an operator that leads no more has landed"

    @rule()
    def take_over(self):
        """The other one leads from now on, and first touches whatever a late write could go to."""
        self.leader = OPERATORS[self.leader == OPERATORS[0]]
        self.passes.pop(self.leader, None)
        checks = [("job", name) for name in ("smoke", "golden", "contract")]
        children = ((kind, color) for kind in CHILDREN for color in Color)
        targets = ["model", "route", "name", "settings", *checks, *children]
        self.world.versions.update(targets)
        self.world.versions.update(("revision", f"iris-{number}") for number in range(40))

    @rule(passes=st.integers(2, 12))
    def run_for_a_while(self, passes):
        for _ in range(passes):
            self.world.kubelet()
            self.world.reconcile()
            self.world.traffic()

    # ------------------------------------------------------------------ users

    @rule(spec=specs())
    def edit(self, spec):
        self.world.edit(spec)

    @rule(version=st.sampled_from(VERSIONS))
    def edit_the_version_alone(self, version):
        model = self.world.spec.model.model_copy(update={"version": version, "uri": f"image:///models/iris/{version}"})
        self.world.edit(self.world.spec.model_copy(update={"model": model}))

    @rule(
        verb=st.sampled_from([*Verb, "nonsense"]),
        role=st.sampled_from(["candidate", "stable", "failed", "none"]),
        number=st.integers(0, 5),
    )
    def command(self, verb, role, number):
        status = self.world.status
        names = {
            "candidate": status.candidate.revision if status.candidate is not None else "iris-1",
            "stable": status.stable.revision if status.stable is not None else "iris-1",
            "failed": next((blocked.revision for blocked in [*status.failed, *status.expired]), "iris-2"),
            "none": "iris-99",
        }
        target = f":iris-{number}" if verb is Verb.ROLLBACK and number else ""
        self.world.command = f"{verb}/{names[role]}{target}/{next(self.nonces)}"

    @precondition(lambda self: self.world.status.candidate is not None)
    @rule(passes=st.integers(1, 16))
    def promote_and_wait(self, passes):
        self.world.command = f"{Verb.PROMOTE}/{self.world.status.candidate.revision}/{next(self.nonces)}"
        for _ in range(passes):
            self.run_for_a_while(1)
            self.the_command_promote_skips_holds_alone()

    # What follows is not seen by those who have looked already, and another object than the one they write to.

    @precondition(lambda self: self.is_quiet and self.world.route is not None and self.world.spec.has_route)
    @rule(blue=st.integers(0, 100), green=st.integers(0, 100))
    def route_edited_by_hand(self, blue, green):
        *pins, _ = self.world.route.rules
        self.world.route = replace(self.world.route, rules=(*pins, {Color.BLUE: blue, Color.GREEN: green}))

    @precondition(lambda self: self.is_quiet and self.world.spec.has_route)
    @rule()
    def route_deleted_by_hand(self):
        self.world.route = None

    @precondition(lambda self: self.is_quiet and self.world.spec.has_route)
    @rule(color=st.sampled_from([None, *Color]))
    def service_edited_by_hand(self, color):
        self.world.stable_service = color

    @precondition(lambda self: self.is_quiet)
    @rule(color=st.sampled_from(list(Color)))
    def small_children_deleted_by_hand(self, color):
        self.world.services.discard(color)
        self.world.budgets.discard(color)
        self.world.autoscalers.pop(color, None)

    @precondition(lambda self: self.is_quiet)
    @rule(color=st.sampled_from(list(Color)), replicas=st.integers(1, 5))
    def scaled_by_hand(self, color, replicas):
        if color in self.world.deployments and self.world.deployments[color][1]:
            self.world.deployments[color] = (self.world.deployments[color][0], replicas)

    @precondition(lambda self: self.is_quiet)
    @rule()
    def deployment_deleted_by_hand(self):
        stable = self.world.status.stable
        if stable is not None and stable.revision not in self.world.lost:  # with both gone, nobody could know
            self.world.deployments.pop(stable.color, None)
            self.world.pods[stable.color] = []

    @precondition(lambda self: self.is_quiet and self.world.deployments)
    @rule(number=st.integers(1, 6))
    def controller_revision_deleted_by_hand(self, number):
        running = {revision for revision, _ in self.world.deployments.values()}
        self.world.lost |= {f"iris-{number}"} & set(self.world.revisions) & running

    # ------------------------------------------------------------------ pods, gateway and metrics

    @rule(healthy=st.sets(st.sampled_from([f"iris-{n}" for n in range(1, 8)])))
    def kubelet(self, healthy):
        self.world.kubelet(frozenset(healthy))

    @rule(result=st.sampled_from(list(CheckResult)))
    def jobs(self, result):
        self.world.end_jobs(result, "as a test says")

    @precondition(lambda self: self.is_quiet)
    @rule()
    def jobs_deleted_by_hand(self):
        candidate = self.world.status.candidate
        for name in self.world.checks():
            if candidate is not None and self.world.checks()[name].result is not CheckResult.PASSED:
                del self.world.jobs[candidate.revision, name]

    @rule(rate=st.integers(0, 100), seconds=st.sampled_from([2.0, 2.0, 2.0, 30.0, 700.0]))
    def requests(self, rate, seconds):
        self.world.traffic(seconds=seconds, rate=rate)

    @rule(metrics=st.booleans())
    def metrics(self, metrics):
        self.world.metrics = metrics

    @rule(gateway=st.booleans())
    def gateway(self, gateway):
        self.world.gateway = gateway

    @precondition(lambda self: self.is_quiet)
    @rule(color=st.sampled_from(list(Color)), returns=st.booleans())
    def all_pods_go(self, color, returns):
        """A node is lost, drained or full: the pods of a color are gone, and may or may not come back."""
        self.world.pods[color] = []
        if returns:
            self.world.kubelet()

    @precondition(lambda self: self.is_quiet)
    @rule(alive=st.sampled_from(list(Color)))
    def one_color_answers(self, alive):
        """With one color ready, and nothing else in the way, nobody is left on the other one for long."""
        world = self.world
        world.metrics = True
        for _ in range(24):  # enough to drain a candidate that failed, and to bring up the one that is wanted
            revision = world.deployments.get(alive, ("", 0))[0]
            world.kubelet(frozenset({revision}))
            world.end_jobs(CheckResult.PASSED)
            world.reconcile()
            world.traffic()
        assert world.is_answered() or self._is_nobody_to_answer(world), (world.route, world.status)

    @staticmethod
    def _is_nobody_to_answer(world: World) -> bool:
        """Whether a person or a verdict keeps users off the candidate, or a pass could not write."""
        status = world.status
        unseen = status.step is None or bool(status.step.shadow)
        waits = status.hold is not None and status.hold.reason in CLOCK_STOPS and unseen
        return status.ending is not None or bool(status.aborting) or waits

    @rule(color=st.sampled_from(list(Color)), deaths=st.integers(0, 3), deleting=st.booleans())
    def pod_dies(self, color, deaths, deleting):
        pods = self.world.pods[color]
        if pods:
            pods[0] = Pod(pods[0].uid, pods[0].revision, False, deleting, deaths, "exit code 1")

    @precondition(lambda self: self.world.judged is not None)
    @rule(verdict=st.sampled_from([Verdict.BREACH, Verdict.SHARED_INCIDENT, Verdict.NOT_ENOUGH_DATA, Verdict.HEALTHY]))
    def guards_speak(self, verdict):
        self.world.verdicts[self.world.judged.revision] = verdict

    # ------------------------------------------------------------------ what must always hold

    @invariant()
    def breach_comes_first(self):
        """Whatever else is going on, a breach with a ready stable is answered by a rollback at the next decision."""
        world = getattr(self, "world", None)
        if world is None or world.status.candidate is None or world.status.stable is None:
            return
        if world.status.ending is not None or world.status.returning is not None:
            return
        if world.verdicts.get(world.status.candidate.revision) is not Verdict.BREACH:
            return
        stable = world.status.stable
        ready = any(p.ready and not p.deleting and p.revision == stable.revision for p in world.pods[stable.color])
        if ready and stable.color in world.services:
            after = world.decide().status
            assert after.ending is not None
            assert after.ending.phase in {Phase.ROLLED_BACK}

    @invariant()
    def no_user_meets_a_candidate_in_a_shadow_step(self):
        """Only where stable has nobody to answer. What people write into the route by hand is theirs."""
        world = getattr(self, "world", None)
        if world is None or world.status.step is None or not world.status.step.shadow:
            return
        candidate, decision = world.status.candidate, world.decide()
        outage = decision.status.outage
        failed_over = outage is not None and outage.failed_over_at is not None
        step = decision.status.step
        if failed_over or step is None or not step.shadow or decision.status.phase is Phase.FINISHING:
            return
        for move in (action for action in decision.actions if isinstance(action, MoveWeights)):
            assert dict(move.weights)[candidate.color] == dict(move.pins)[candidate.color] == 0

    @invariant()
    def nobody_is_mirrored_to_what_was_rolled_back(self):
        world = getattr(self, "world", None)
        if world is None or world.status.ending is None or world.route is None:
            return
        for move in (action for action in world.decide().actions if isinstance(action, MoveWeights)):
            assert move.shadow is None

    @invariant()
    def breach_of_a_watched_version_comes_first(self):
        """Whatever else is going on, a control that is ready gets the traffic back at the next decision."""
        world = getattr(self, "world", None)
        if world is None or world.status.watch is None:
            return
        breached = world.verdicts.get(world.status.stable.revision) is Verdict.BREACH
        control = world.status.control
        if breached and world.ready(control) and control.color in world.services:
            after = world.decide().status
            assert after.ending is not None
            assert after.ending.phase is Phase.ROLLED_BACK
            assert after.stable.revision == control.revision

    @invariant()
    def one_rollout_at_a_time(self):
        world = getattr(self, "world", None)
        if world is None or world.status.watch is None:
            return
        status = world.status
        assert status.candidate is None
        assert status.ending is None
        assert status.drain is None
        assert status.phase is Phase.WATCHING
        assert status.control.color is status.stable.color.other

    @invariant()
    def failed_revisions_stay_away(self):
        world = getattr(self, "world", None)
        if world is None or world.status.candidate is None or world.status.ending is not None:
            return
        assert world.status.candidate.revision not in {blocked.revision for blocked in world.status.failed}

    @invariant()
    def the_command_promote_skips_holds_alone(self):
        """Whoever takes over early was seen to get its share, blamed by nobody, and approved where that is asked."""
        world = getattr(self, "world", None)
        if world is None or world.status.promotion is None or world.status.candidate is None:
            return
        before, after = world.status, world.decide().status
        helps_out = before.outage is not None or after.outage is not None or before.condemned is not None
        if before.phase is Phase.FINISHING or after.phase is not Phase.FINISHING or helps_out:
            return
        assert before.step is not None
        assert before.step.progress == "bake"
        assert before.step.verified_at is not None
        assert world.verdicts.get(before.candidate.revision) not in {Verdict.BREACH, Verdict.SHARED_INCIDENT}
        if world.spec.rollout.approval is Approval.BEFORE_PROMOTION:
            assert before.approved is not None
            assert before.approved.revision == before.candidate.revision

    @invariant()
    def each_condition_is_there_once(self):
        world = getattr(self, "world", None)
        if world is not None:
            kinds = [condition.type for condition in world.decide().status.conditions]
            assert sorted(kinds) == sorted(
                [
                    "Ready",
                    "Reconciling",
                    "Stalled",
                    "Available",
                    "RolledBack",
                    "RollbackReady",
                    "Settled",
                    "FallbackReady",
                ]
            )

    def teardown(self):
        """From wherever this ended, a world that behaves brings the rollout to an end."""
        world = getattr(self, "world", None)
        if world is None:
            return
        world.metrics = world.gateway = True
        world.verdicts.clear()
        for _ in range(600):
            world.kubelet()
            world.reconcile()
            # A watch that takes an hour goes by in some minutes.
            world.traffic(seconds=60.0 if world.status.watch is not None else 2.0)
            self._give_what_is_waited_for()
            if world.status.phase in AT_REST and world.status.drain is None and not world.decide().actions:
                break
        assert world.status.phase in AT_REST, world.status
        assert world.status.promotion is None
        served = world.status.stable
        if served is not None:
            assert world.route is not None
            assert all(rule == {served.color: 100, served.color.other: 0} for rule in world.route.rules)
            assert world.route.shadow is None
            assert len(world.route.rules) == 1 + len(world.spec.traffic.pins)
            assert world.stable_service is served.color
            assert not world.stray_route
            assert world.told == world.spec.serving.cache
            assert set(world.autoscalers) == ({served.color} if world.spec.serving.autoscaling else set())
            other = world.deployments.get(served.color.other, ("", 0))
            assert other[1] == 0, "the other color is still running"

    def _give_what_is_waited_for(self):
        """A person who does what the status asks for."""
        status = self.world.status
        if status.hold is None or status.candidate is None:
            return
        verb = {"AwaitingApproval": Verb.APPROVE, "Paused": Verb.RESUME}.get(status.hold.reason)
        if verb is not None:
            self.world.command = f"{verb}/{status.candidate.revision}/{next(self.nonces)}"


CHILDREN = ("deployment", "service", "budget", "autoscaler")

Rollouts.TestCase.settings = settings(
    # The usual run is the same every time, so that a change is judged by itself; EXAMPLES=6000 searches for new ones.
    derandomize="EXAMPLES" not in os.environ,
    max_examples=int(os.environ.get("EXAMPLES", "100")),
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestRollouts = Rollouts.TestCase
