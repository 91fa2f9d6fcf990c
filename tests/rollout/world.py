"""A small world for the pure core, in which every write is held against the invariants."""

from dataclasses import dataclass, replace

from tests.rollout.passes import Conflict, Pass, target_of
from tests.rollout.surroundings import NAME, SETTINGS, START, Surroundings, judgement, spec_for

from viridian.api.names import Color
from viridian.api.revision import Revision, RevisionInput
from viridian.api.status import CheckResult, ModelDeploymentStatus
from viridian.rollout.decide import Decision, decide
from viridian.rollout.observed import CheckView, RouteFacts
from viridian.rollout.planning.actions import (
    Action,
    ApplyAutoscaler,
    ApplyBudget,
    ApplyColor,
    ApplyColorService,
    ApplyLiveSettings,
    EndCheck,
    FollowTraffic,
    LookAtKept,
    MoveWeights,
    PointStableService,
    PruneRevision,
    RemoveAutoscaler,
    RemoveRoute,
    RestoreRevision,
    RunCheck,
    StoreRevision,
)
from viridian_shared.shadow import read_shadow

__all__ = ["NAME", "SETTINGS", "START", "Conflict", "Pass", "Violation", "World", "judgement", "spec_for"]


class Violation(AssertionError):
    """An invariant was broken by a write."""


@dataclass
class World(Surroundings):
    """The operator at work in its surroundings. Writes go through `apply`, which holds them against the invariants."""

    # ------------------------------------------------------------------ the operator

    def decide(self) -> Decision:
        """One decision."""
        return decide(NAME, self.spec, self.status, self.observe(), self.settings, self.now)

    def reconcile(self, writes: int | None = None) -> bool:
        """One pass; after so many writes the operator dies. Returns whether anything was written."""
        making = self.begin()
        while making.left and (writes is None or making.done < writes):
            making.step()
        return bool(making.done or making.left)

    def begin(self) -> "Pass":
        """Look and decide; nothing is written yet."""
        return Pass(self, self.decide())

    def write(self, write: "Action | ModelDeploymentStatus", version: int) -> None:
        """Carry out one write over what was read at this version.

        Raises:
            Conflict: somebody wrote in between.
            Violation: the write breaks an invariant.
        """
        if self.versions[target_of(write)] != version:
            raise Conflict(f"{target_of(write)} has changed")
        if isinstance(write, ModelDeploymentStatus):
            self.status = write
            self.versions["model"] += 1
        else:
            self.apply(write)
        self.writes += 1

    def apply(self, action: Action) -> None:
        """Carry out one write, held against the invariants."""
        self.versions[target_of(action)] += 1
        match action:
            case StoreRevision(name, number):
                self._store(name, number)
            case RestoreRevision(name):
                self.lost.remove(name)
            case ApplyColor(color, revision, replicas):
                self._apply_color(color, revision, replicas)
            case ApplyColorService() | PointStableService():
                self._apply_service(action)
            case MoveWeights(weights, pins, aborted, shadow):
                self._move(dict(weights), dict(pins), aborted)
                self._mirror(shadow)
            case FollowTraffic() | RemoveRoute():
                self._follow(action)
            case ApplyBudget() | ApplyAutoscaler() | RemoveAutoscaler() | ApplyLiveSettings():
                self._scale(action)
            case RunCheck() | EndCheck() | LookAtKept():
                self._check(action)
            case PruneRevision(name):
                self._prune(name)

    def _check(self, action: RunCheck | EndCheck | LookAtKept) -> None:
        if isinstance(action, LookAtKept):
            if (action.revision, action.look) in self.looks:
                raise Violation(f"{action.revision} is looked at twice at once")
            self.looks[action.revision, action.look] = CheckView(CheckResult.RUNNING)
            return
        candidate = self.status.candidate
        if candidate is None:
            raise Violation("a check runs without a candidate")
        if isinstance(action, EndCheck):
            del self.jobs[candidate.revision, action.name]
            return
        if (action.revision, action.name) in self.jobs:
            raise Violation(f"{action.name} of {action.revision} runs twice")
        if not self.ready(candidate):
            raise Violation(f"{action.name} of {action.revision} runs without a pod to check")
        self.jobs[action.revision, action.name] = CheckView(CheckResult.RUNNING)

    def _store(self, name: str, number: int) -> None:
        if name in self.revisions:
            raise Conflict(f"there is a ControllerRevision {name} already")
        if name in self.used:
            raise Violation(f"the number of {name} was used before")
        self.used.add(name)
        self.revisions[name] = Revision(name, number, RevisionInput.of(self.spec), {})

    def _apply_service(self, action: ApplyColorService | PointStableService) -> None:
        if isinstance(action, ApplyColorService):
            self.services.add(action.color)
        else:
            self.stable_service = action.color

    def _apply_color(self, color: Color, revision: str, replicas: int) -> None:
        old, count = self.deployments.get(color, (None, 0))
        busy = self.route is not None and self.route.weight(color) > 0
        shrinks = replicas < count and not (
            self._is_shrink_by_user(color, replicas) or self._carries_its_share(color, replicas)
        )
        if busy and old is not None and (revision != old or shrinks):
            raise Violation(f"{color} has weight and was changed from {old} x{count} to {revision} x{replicas}")
        if color in self.autoscalers and count and replicas != count:
            raise Violation(f"{color} is scaled by an autoscaler, and got {replicas} replicas from the operator")
        if old is not None and revision != old and (count or self.pods[color]):
            raise Violation(f"{color} got another template while pods of {old} remain")
        stable = self.status.stable
        if stable is not None and stable.color is color and revision != stable.revision:
            raise Violation("stable's template was changed")
        if revision not in self.revisions:
            raise Violation(f"revision {revision} is not stored")
        self.deployments[color] = (revision, replicas)
        self.drifted.discard(color)

    def _is_shrink_by_user(self, color: Color, replicas: int) -> bool:
        return replicas >= min(self.spec.serving.replicas, self.deployments[color][1])

    def _carries_its_share(self, color: Color, replicas: int) -> bool:
        """The control of a watch may shrink to the pods that its weight needs, and no further."""
        control = self.status.control
        if control is None or control.color is not color or self.route is None:
            return False
        full = min(self.spec.serving.replicas, self.deployments[color.other][1])
        return replicas >= min(2, full) and 100 * replicas >= full * self.route.split(color)

    def _follow(self, action: FollowTraffic | RemoveRoute) -> None:
        if isinstance(action, RemoveRoute):
            self.stray_route = False
        elif self.route is not None:
            rules = (*(dict(action.pins) for _ in self.spec.traffic.pins), self.route.rules[-1])
            self.route = replace(self.route, rules=rules, follows_spec=True)

    def _scale(self, action: ApplyBudget | ApplyAutoscaler | RemoveAutoscaler | ApplyLiveSettings) -> None:
        match action:
            case ApplyLiveSettings():
                self.told = self.spec.serving.cache
            case ApplyBudget(color):
                self.budgets.add(color)
            case ApplyAutoscaler(color, autoscaler):
                self.autoscalers[color] = autoscaler
            case RemoveAutoscaler(color):
                del self.autoscalers[color]

    def _move(self, weights: dict[Color, int], pins: dict[Color, int], aborted: str | None) -> None:
        if sum(weights.values()) != 100 or sum(pins.values()) != 100:
            raise Violation(f"weights {weights}, pins {pins} do not sum to 100")
        candidate = self.status.candidate
        before = self.route.split(candidate.color) if candidate is not None and self.route is not None else 100
        if candidate is not None and pins[candidate.color] and not weights[candidate.color]:
            raise Violation(f"pinned users are on {candidate.revision}, which has no weight")
        if candidate is not None and weights[candidate.color] > before:
            ready = self.ready(candidate)
            needed = -(-self.spec.serving.replicas * weights[candidate.color] // 100)
            if self.status.outage is not None and self.status.outage.failed_over_at is not None:
                needed = 1
            if ready < min(needed, self.spec.serving.replicas):
                raise Violation(f"weight {weights} with {ready} ready pods, {needed} needed")
            if self._is_failed(candidate.revision):
                raise Violation(f"failed revision {candidate.revision} got traffic again")
            if before == 0:
                self._hold_against_checks(candidate.revision)
            self._hold_against_shadow(candidate.revision)
        self._hold_against_watch(weights)
        self._hold_against_readiness(weights)
        rules = self.route.rules[:-1] if self.route is not None else self.spec.traffic.pins
        follows = self.route is None or self.route.follows_spec
        self.route = RouteFacts((*(pins for _ in rules), weights), aborted=aborted, follows_spec=follows)
        if not self.spec.has_route:
            self.stable_service = max(weights, key=lambda color: weights[color])
        if candidate is not None:
            self.weights_seen.append(weights[candidate.color])

    def _mirror(self, shadow: str | None) -> None:
        candidate = self.status.candidate
        if shadow is not None:
            told = read_shadow(shadow)
            if told is None or candidate is None or told.candidate != candidate.revision:
                raise Violation(f"{shadow} is mirrored, and not to the candidate")
            if self._is_failed(candidate.revision):
                raise Violation(f"failed revision {candidate.revision} gets copies")
            self._hold_against_checks(candidate.revision)
        assert self.route is not None
        self.route = replace(self.route, shadow=shadow if self.spec.has_route else None)

    def _hold_against_shadow(self, revision: str) -> None:
        """No user's request in a shadow step, unless stable has nobody to answer."""
        step, outage = self.status.step, self.status.outage
        failed_over = outage is not None and outage.failed_over_at is not None
        if step is not None and step.shadow and not failed_over and self.status.phase != "Finishing":
            raise Violation(f"{revision} got traffic in a shadow step")

    def _hold_against_watch(self, weights: dict[Color, int]) -> None:
        """The old version keeps no more than its holdback, unless it answers because the promoted one cannot."""
        control, wanted = self.status.control, self.spec.rollout.bake.watch
        if control is None or (self.status.outage is not None and self.status.outage.failed_over_at is not None):
            return
        rises = self.route is not None and weights[control.color] > self.route.split(control.color)
        above = weights[control.color] > (wanted.holdback if wanted is not None else 0)
        # On the way back to the old version the route is written before the status.
        if rises and above and self.decide().status.ending is None:
            raise Violation(f"the control has {weights[control.color]} %")

    def _hold_against_checks(self, revision: str) -> None:
        """No user's request before all checks were passed; an earlier revision that comes back was checked before."""
        if self.status.step is not None or self.status.returning is not None:
            return
        passed = {name for (of, name), job in self.jobs.items() if of == revision and job.result is CheckResult.PASSED}
        missing = set(self.spec.checks.names_with(smoke=self.settings.smoke)) - passed
        # One that runs by default may be left out, and that is told.
        told = {check.name for check in self.status.checks if check.revision == revision and check.ended_at}
        if missing - (told - set(self.spec.checks.names)):
            raise Violation(f"{revision} got traffic without {missing}")

    def _hold_against_readiness(self, weights: dict[Color, int]) -> None:
        """No traffic moves to a color without a ready endpoint while the other one has some."""
        if self.status.stable is None:
            return  # a first revision that is rolled back leaves nobody who could answer
        for color in Color:
            rises = self.route is not None and weights[color] > self.route.split(color)
            here, there = self._answering(color), self._answering(color.other)
            if rises and not here and there:
                raise Violation(
                    f"{color} has no ready pod and gets {weights[color]} %, beside {there} of {color.other}"
                )

    def _answering(self, color: Color) -> int:
        return sum(pod.ready and not pod.deleting for pod in self.pods[color]) if color in self.services else 0

    def is_answered(self) -> bool:
        """Whether no role without a ready pod has weight while the other role could answer."""
        roles = (self.status.stable, self.status.candidate, self.status.control)
        if self.route is None or not any(self.ready(role) for role in roles):
            return True
        return not any(role and self.route.split(role.color) and not self.ready(role) for role in roles)

    def _is_failed(self, revision: str) -> bool:
        mine = self.revisions.get(revision)
        pins = (self.revisions.get(blocked.revision) for blocked in self.status.failed)
        return mine is not None and any(blocked is not None and blocked.input == mine.input for blocked in pins)

    def _prune(self, name: str) -> None:
        roles = (self.status.stable, self.status.candidate, self.status.control, *self.status.failed)
        if name in {role.revision for role in roles if role is not None}:
            raise Violation(f"revision {name} is in use and was pruned")
        del self.revisions[name]

    def settle(self, rounds: int = 400) -> None:
        """Let everything go well until nothing moves any more."""
        for _ in range(rounds):
            self.kubelet()
            self.reconcile()
            self.traffic()
            if self.status.phase in {"Stable", "RolledBack", "Expired", "Held"} and not self.decide().actions:
                return
