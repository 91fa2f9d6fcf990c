"""The invariants, held against everything that users, pods, metrics and a dying operator can do in any order."""

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.rollout.world import World, spec_for

from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.guards.judge import Verdict
from viridian.rollout.observed import Pod

VERSIONS = ("v1.0.0", "v2.0.0", "v3.0.0")
AT_REST = {Phase.STABLE, Phase.ROLLED_BACK, Phase.EXPIRED}


class Rollouts(RuleBasedStateMachine):
    """A model's life. `World.apply` raises when a write breaks an invariant; the rest is checked after every step."""

    @initialize(version=st.sampled_from(VERSIONS))
    def create(self, version):
        self.world = World(spec_for(version))

    # ------------------------------------------------------------------ the operator

    @rule()
    def reconcile(self):
        self.world.reconcile()

    @rule(writes=st.integers(0, 3))
    def die_in_the_middle(self, writes):
        self.world.reconcile(writes=writes)

    @rule(passes=st.integers(2, 12))
    def run_for_a_while(self, passes):
        for _ in range(passes):
            self.world.kubelet()
            self.world.reconcile()
            self.world.traffic()

    # ------------------------------------------------------------------ users

    @rule(version=st.sampled_from(VERSIONS), replicas=st.integers(1, 4))
    def edit(self, version, replicas):
        self.world.edit(spec_for(version, serving={"replicas": replicas}))

    @rule(verb=st.sampled_from(["abort", "retry", "nonsense"]), number=st.integers(1, 6), nonce=st.integers())
    def command(self, verb, number, nonce):
        self.world.command = f"{verb}/iris-{number}/{nonce}"

    # ------------------------------------------------------------------ pods and metrics

    @rule(healthy=st.sets(st.sampled_from([f"iris-{n}" for n in range(1, 8)])))
    def kubelet(self, healthy):
        self.world.kubelet(frozenset(healthy))

    @rule(rate=st.integers(0, 100))
    def requests(self, rate):
        self.world.traffic(rate=rate)

    @rule(metrics=st.booleans())
    def metrics(self, metrics):
        self.world.metrics = metrics

    @rule(color=st.sampled_from(list(Color)), deaths=st.integers(0, 3), deleting=st.booleans())
    def pod_dies(self, color, deaths, deleting):
        pods = self.world.pods[color]
        if pods:
            pods[0] = Pod(pods[0].uid, pods[0].revision, False, deleting, deaths, "exit code 1")

    @precondition(lambda self: self.world.status.candidate is not None)
    @rule(verdict=st.sampled_from([Verdict.BREACH, Verdict.SHARED_INCIDENT, Verdict.NOT_ENOUGH_DATA, Verdict.HEALTHY]))
    def guards_speak(self, verdict):
        self.world.verdicts[self.world.status.candidate.revision] = verdict

    @rule()
    def deployment_deleted_by_hand(self):
        stable = self.world.status.stable
        if stable is not None and stable.revision not in self.world.lost:  # with both gone, nobody could know
            self.world.deployments.pop(stable.color, None)
            self.world.pods[stable.color] = []

    @precondition(lambda self: self.world.deployments)
    @rule(number=st.integers(1, 6))
    def controller_revision_deleted_by_hand(self, number):
        running = {revision for revision, _ in self.world.deployments.values()}
        self.world.lost |= {f"iris-{number}"} & set(self.world.revisions) & running

    # ------------------------------------------------------------------ what must always hold

    @invariant()
    def weights_sum_to_100(self):
        if getattr(self, "world", None) is not None and self.world.route is not None:
            assert all(sum(rule.values()) == 100 for rule in self.world.route.rules)

    @invariant()
    def breach_comes_first(self):
        """Whatever else is going on, a breach with a ready stable is answered by a rollback at the next decision."""
        world = getattr(self, "world", None)
        if world is None or world.status.candidate is None or world.status.stable is None:
            return
        if world.status.ending is not None:
            return
        if world.verdicts.get(world.status.candidate.revision) is not Verdict.BREACH:
            return
        stable = world.status.stable
        ready = any(p.ready and not p.deleting and p.revision == stable.revision for p in world.pods[stable.color])
        if ready:
            after = world.decide().status
            assert after.ending is not None
            assert after.ending.phase in {Phase.ROLLED_BACK}

    @invariant()
    def failed_revisions_stay_away(self):
        world = getattr(self, "world", None)
        if world is None or world.status.candidate is None or world.status.ending is not None:
            return
        assert world.status.candidate.revision not in {pin.revision for pin in world.status.failed}

    def teardown(self):
        """From wherever this ended, a world that behaves brings the rollout to an end."""
        world = getattr(self, "world", None)
        if world is None:
            return
        world.metrics = True
        world.verdicts.clear()
        for _ in range(400):
            world.kubelet()
            world.reconcile()
            world.traffic()
            if world.status.phase in AT_REST and world.status.drain is None:
                break
        assert world.status.phase in AT_REST, world.status
        served = world.status.stable
        if served is not None:
            assert world.route is not None
            assert world.route.weight(served.color) == 100
            assert world.stable_service is served.color
            other = world.deployments.get(served.color.other, ("", 0))
            assert other[1] == 0, "the other color is still running"


Rollouts.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestRollouts = Rollouts.TestCase


def final(world: World) -> tuple[object, ...]:
    """Where a rollout ended, times and history's words left out."""
    status = world.status
    return (
        status.phase,
        status.stable.version if status.stable else None,
        status.stable.color if status.stable else None,
        status.candidate,
        [pin.version for pin in status.failed],
        world.route.rules if world.route else None,
        world.stable_service,
        world.deployments,
    )


def play(bad: bool, crash_at: int | None) -> World:
    """One rollout after a first revision; the operator dies right after write number `crash_at`."""
    world = World()
    world.settle()
    world.edit(spec_for("v2.0.0"))
    world.writes = 0
    for _ in range(300):
        world.kubelet()
        candidate = world.status.candidate
        if bad and candidate is not None and world.route is not None and world.route.weight(candidate.color) >= 50:
            world.verdicts[candidate.revision] = Verdict.BREACH
        left = None if crash_at is None or world.writes > crash_at else max(0, crash_at - world.writes)
        if left is not None and crash_at is not None:
            before = world.writes
            world.reconcile(writes=left)
            if world.writes == before and left == 0:
                world.writes += 1  # it died before the next write and comes back
                world.verdicts.clear()
        else:
            world.reconcile()
        world.traffic()
        if world.status.phase in AT_REST and not world.decide().actions and world.status.last_revision == 2:
            break
    return world


def test_a_good_rollout_ends_the_same_wherever_the_operator_dies():
    whole = play(bad=False, crash_at=None)
    assert whole.status.stable is not None
    assert whole.status.stable.version == "v2.0.0"
    for crash_at in range(1, whole.writes + 1):
        assert final(play(bad=False, crash_at=crash_at)) == final(whole), f"died after write {crash_at}"


def test_a_bad_rollout_ends_the_same_wherever_the_operator_dies():
    whole = play(bad=True, crash_at=None)
    assert whole.status.phase is Phase.ROLLED_BACK
    for crash_at in range(1, whole.writes + 1):
        assert final(play(bad=True, crash_at=crash_at)) == final(whole), f"died after write {crash_at}"
