"""A small world for the pure core: an API server, a kubelet, a gateway, users and guards, as plain values."""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from viridian.api.names import Color
from viridian.api.revision import Revision, RevisionInput
from viridian.api.serving import Cache
from viridian.api.spec import ModelDeploymentSpec
from viridian.api.status import CheckResult, ColorStatus, ModelDeploymentStatus
from viridian.guards.counts import Counts
from viridian.guards.judge import Judgement, Verdict
from viridian.rollout.decide import Decision, decide
from viridian.rollout.kept import look_of
from viridian.rollout.observed import (
    ApplyFailure,
    Autoscaler,
    CheckView,
    ColorView,
    Evidence,
    Observed,
    Pod,
    RouteFacts,
    Settings,
)
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

NAME = "iris"
SETTINGS = Settings(scrape_interval=timedelta(seconds=2))
START = datetime(2026, 1, 1, tzinfo=UTC)


def spec_for(version: str = "v1.0.0", **changes: object) -> ModelDeploymentSpec:
    """A complete spec with short holds."""
    document: dict[str, object] = {
        "model": {"version": version, "uri": f"image:///models/iris/{version}"},
        "serving": {"replicas": 3},
        "traffic": {"parentRefs": [{"name": "public"}]},
        "rollout": {
            "steps": [{"weight": 10, "hold": "10s"}, {"weight": 50, "hold": "10s"}],
            "bake": {"duration": "20s", "holdback": 5},
            "deadline": "10m",
            "drainMax": "30s",
        },
    }
    return ModelDeploymentSpec.model_validate({**document, **changes})


class Violation(AssertionError):
    """An invariant was broken by a write."""


class Conflict(Exception):
    """A write was made over something else than what was read, and did not land."""


@dataclass
class World:
    """Everything outside the core. Writes go through `apply`, which holds them against the invariants."""

    spec: ModelDeploymentSpec = field(default_factory=spec_for)
    generation: int = 1
    status: ModelDeploymentStatus = field(default_factory=ModelDeploymentStatus)
    now: datetime = START
    deployments: dict[Color, tuple[str, int]] = field(default_factory=dict)
    pods: dict[Color, list[Pod]] = field(default_factory=lambda: {color: [] for color in Color})
    services: set[Color] = field(default_factory=set)
    budgets: set[Color] = field(default_factory=set)
    autoscalers: dict[Color, Autoscaler] = field(default_factory=dict)
    told: Cache | None = None
    stray_route: bool = False
    stable_service: Color | None = None
    lost: set[str] = field(default_factory=set)
    route: RouteFacts | None = None
    parked: RouteFacts | None = None
    revisions: dict[str, Revision] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    requests: dict[str, int] = field(default_factory=dict)
    mirrored: dict[str, int] = field(default_factory=dict)
    reporting: dict[str, int] = field(default_factory=dict)
    moved: dict[str, datetime] = field(default_factory=dict)
    fresh_at: datetime | None = None
    unseen: set[str] = field(default_factory=set)
    metrics: bool = True
    gateway: bool = True
    followed: RouteFacts | None = None
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    says: dict[str, Any] = field(default_factory=dict)
    command: str = ""
    command_by: str = ""
    gateway_problem: str | None = None
    taken: str | None = None
    apply_failure: ApplyFailure | None = None
    drifted: set[Color] = field(default_factory=set)
    jobs: dict[tuple[str, str], CheckView] = field(default_factory=dict)
    looks: dict[tuple[str, str], CheckView] = field(default_factory=dict)
    refused: dict[Color, str] = field(default_factory=dict)
    writes: int = 0
    versions: Counter[object] = field(default_factory=Counter)
    uids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    weights_seen: list[int] = field(default_factory=list)

    # ------------------------------------------------------------------ what the core sees

    def observe(self) -> Observed:
        """The world as the core is shown it."""
        colors = {
            color: ColorView(
                revision=self.deployments[color][0] if color in self.deployments else None,
                replicas=self.deployments[color][1] if color in self.deployments else 0,
                pods=tuple(self.pods[color]),
                endpoints=self._published(color),
                has_service=color in self.services,
                has_budget=color in self.budgets,
                autoscaler=self.autoscalers.get(color),
                drifted=color in self.drifted,
                refusal=self.refused.get(color, ""),
            )
            for color in Color
        }
        return Observed(
            generation=self.generation,
            colors=colors,
            revisions={name: revision for name, revision in self.revisions.items() if name not in self.gone()},
            lost=frozenset(self.lost - self.gone()),
            route=self.route,
            stray_route=self.stray_route,
            stable_service=self.stable_service,
            gateway_problem=self.gateway_problem,
            taken=self.taken,
            live_settings=self.told == self.spec.serving.cache,
            command=self.command,
            command_by=self.command_by,
            evidence=self.evidence(),
            checks=self.checks(),
            kept=self.kept(),
            apply_failure=self.apply_failure,
        )

    def _published(self, color: Color) -> frozenset[str]:
        """The endpoints behind a color's Service; they go with it."""
        ready = frozenset(pod.uid for pod in self.pods[color] if pod.ready and not pod.deleting)
        return ready if color in self.services else frozenset()

    def kept(self) -> CheckView | None:
        """The Job of the present look at what a rollback goes back to."""
        kept = self.status.kept
        if kept is None or kept.started_at is None:
            return None
        return self.looks.get((kept.revision, look_of(kept.started_at)))

    def checks(self) -> dict[str, CheckView]:
        """The Jobs of the candidate's checks."""
        candidate = self.status.candidate
        return (
            {}
            if candidate is None
            else {name: job for (of, name), job in self.jobs.items() if of == candidate.revision}
        )

    def end_jobs(self, result: CheckResult, message: str = "") -> None:
        """All Jobs that run, or cannot, end like this."""
        going = {CheckResult.RUNNING, CheckResult.CANNOT_RUN}
        for jobs in (self.jobs, self.looks):
            jobs |= {key: CheckView(result, message) for key, job in jobs.items() if job.result in going}

    def gone(self) -> set[str]:
        """Lost revisions that no Deployment runs either."""
        return self.lost - {revision for revision, _ in self.deployments.values()}

    def evidence(self) -> Evidence:
        """What the guards say of the candidate; `says` overrides the parts that it names."""
        candidate = self.judged
        judgements: tuple[Judgement, ...] = ()
        if candidate is not None and candidate.revision in self.verdicts:
            judgements = (judgement(self.verdicts[candidate.revision]),)
        evidence = Evidence(
            judgements,
            dict(self.requests),
            dict(self.reporting),
            dict(self.moved),
            self.fresh_at,
            counted_at=dict(self.moved),
            seen_at=dict.fromkeys(self.revisions.keys() - self.unseen, self.fresh_at) if self.fresh_at else {},
            mirrored=dict(self.mirrored),
        )
        return replace(evidence, **self.says)

    @property
    def judged(self) -> ColorStatus | None:
        """Whom the guards speak of: the candidate, or the promoted version that is watched."""
        return self.status.stable if self.status.watch is not None else self.status.candidate

    # ------------------------------------------------------------------ the operator

    def decide(self) -> Decision:
        """One decision."""
        return decide(NAME, self.spec, self.status, self.observe(), SETTINGS, self.now)

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
        if missing := set(self.spec.checks.names) - passed:
            raise Violation(f"{revision} got traffic without {missing}")

    def ready(self, role: ColorStatus | None) -> int:
        """Pods of a role that answer users."""
        if role is None:
            return 0
        pods = [pod for pod in self.pods[role.color] if pod.revision == role.revision]
        return sum(pod.ready and not pod.deleting for pod in pods)

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

    # ------------------------------------------------------------------ the rest of the world

    def kubelet(self, healthy: frozenset[str] | None = None) -> None:
        """Bring pods to what the Deployments ask for; those of `healthy` revisions (None: all) become ready.

        Where all are healthy, the checks that run are passed.
        """
        if healthy is None:
            self.end_jobs(CheckResult.PASSED)
        for color in Color:
            revision, replicas = self.deployments.get(color, ("", 0))
            if color in self.autoscalers and replicas:
                wanted = max(replicas, self.autoscalers[color].fewest)
                if wanted != replicas:
                    replicas = wanted
                    self.deployments[color] = (revision, replicas)
                    self.versions["deployment", color] += 1
            pods = [pod for pod in self.pods[color] if not pod.deleting][:replicas]
            pods += [Pod(f"uid-{next(self.uids)}", revision, False, False) for _ in range(replicas - len(pods))]
            self.pods[color] = [replace(pod, ready=healthy is None or pod.revision in healthy) for pod in pods]

    def traffic(self, seconds: float = 2.0, rate: int = 50) -> None:
        """Time passes, requests follow the weights that the gateway last heard of, Prometheus scrapes."""
        self.now += timedelta(seconds=seconds)
        if self.metrics:
            self.fresh_at = self.now
            pods = [pod for color in Color for pod in self.pods[color] if pod.ready]
            self.reporting = Counter(pod.revision for pod in pods)
        if self.gateway:
            self.followed = self.route
        for color in Color:
            if self.followed is None or not any(pod.ready for pod in self.pods[color]):
                continue
            revision = self.pods[color][0].revision
            count = round(rate * seconds * self.followed.split(color) / 100)
            if count and self.metrics:
                self.requests[revision] = self.requests.get(revision, 0) + count
                self.moved[revision] = self.now
            self._copies(revision, count)

    def _copies(self, revision: str, count: int) -> None:
        """Pods of a revision that have answered users send a share to the candidate, as the route tells them."""
        told = read_shadow(self.followed.shadow or "") if self.followed is not None else None
        ready = {pod.revision for pods in self.pods.values() for pod in pods if pod.ready}
        if told is not None and told.candidate in ready - {revision} and self.metrics:
            copies = round(count * told.share)
            self.mirrored[told.candidate] = self.mirrored.get(told.candidate, 0) + copies

    def edit(self, spec: ModelDeploymentSpec) -> None:
        """A user applies a spec; the same one again changes nothing, as with a real API server."""
        if spec == self.spec:
            return
        before, self.spec, self.generation = self.spec, spec, self.generation + 1
        self.versions["model"] += 1
        if before.has_route and not spec.has_route:
            self.stray_route, self.parked = self.route is not None, self.route
            self.route = self._flip()
        elif spec.has_route and not before.has_route:
            self.route, self.stray_route = self.parked if self.stray_route else None, False
        if self.route is not None and spec.has_route and spec.traffic != before.traffic:
            self.route = replace(self.route, follows_spec=False)

    def _flip(self) -> RouteFacts | None:
        """Without a gateway the Service NAME is what carries the weights."""
        color = self.stable_service
        return None if color is None else RouteFacts(rules=({color: 100, color.other: 0},))

    def settle(self, rounds: int = 400) -> None:
        """Let everything go well until nothing moves any more."""
        for _ in range(rounds):
            self.kubelet()
            self.reconcile()
            self.traffic()
            if self.status.phase in {"Stable", "RolledBack", "Expired", "Held"} and not self.decide().actions:
                return


def target_of(write: Action | ModelDeploymentStatus) -> object:
    """The object that a write goes to, and whose version it must still have been read at."""
    match write:
        case ModelDeploymentStatus():
            return "model"
        case MoveWeights() | FollowTraffic() | RemoveRoute():
            return "route"
        case PointStableService():
            return "name"
        case StoreRevision(name) | RestoreRevision(name) | PruneRevision(name):
            return "revision", name
        case RunCheck(name) | EndCheck(name) | LookAtKept(name):
            return "job", name
        case _:
            return _child_of(write)


def _child_of(
    write: ApplyColor | ApplyColorService | ApplyBudget | ApplyAutoscaler | RemoveAutoscaler | ApplyLiveSettings,
) -> object:
    match write:
        case ApplyColor(color):
            return "deployment", color
        case ApplyColorService(color):
            return "service", color
        case ApplyBudget(color):
            return "budget", color
        case ApplyLiveSettings():
            return "settings"
        case ApplyAutoscaler(color) | RemoveAutoscaler(color):
            return "autoscaler", color


class Pass:
    """One pass of one operator between looking and writing; others may write in between.

    Attributes:
        left: the writes to come.
        done: how many have landed.
    """

    def __init__(self, world: World, decision: Decision) -> None:
        self._world = world
        self._seen = world.versions.copy()
        self.left = list(_in_order(decision, world.status))
        self.done = 0

    def step(self) -> bool:
        """Make the next write; returns whether it landed. One that does not ends the pass."""
        write = self.left.pop(0)
        target = target_of(write)
        try:
            self._world.write(write, self._seen[target])
        except Conflict:
            self.left.clear()
            return False
        self._seen[target] = self._world.versions[target]
        self.done += 1
        return True


def _in_order(decision: Decision, before: ModelDeploymentStatus) -> Iterator[Action | ModelDeploymentStatus]:
    first = [a for a in decision.actions if decision.route_first and isinstance(a, MoveWeights)]
    yield from first
    if decision.status != before:
        yield decision.status
    yield from (action for action in decision.actions if action not in first)


def judgement(verdict: Verdict) -> Judgement:
    """One guard's answer."""
    return Judgement(
        guard="errorRate",
        kind="relative",
        verdict=verdict,
        e_value=500.0 if verdict is Verdict.BREACH else 1.0,
        threshold=300.0,
        candidate=Counts(100, 40),
        stable=Counts(900, 1),
        sentence="40 of 100 requests on the candidate failed.",
    )
