"""What is outside of the pure core: an API server, a kubelet, a gateway, users and guards, as plain values."""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from viridian.api.names import Color
from viridian.api.revision import Revision
from viridian.api.serving import Cache
from viridian.api.spec import ModelDeploymentSpec
from viridian.api.status import CheckResult, ColorStatus, ModelDeploymentStatus
from viridian.guards.counts import Counts
from viridian.guards.judge import Judgement, Verdict
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


@dataclass
class Surroundings:
    """Everything outside the core, as it is shown to it, and what happens there by itself."""

    spec: ModelDeploymentSpec = field(default_factory=spec_for)
    settings: Settings = SETTINGS
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

    def ready(self, role: ColorStatus | None) -> int:
        """Pods of a role that answer users."""
        if role is None:
            return 0
        pods = [pod for pod in self.pods[role.color] if pod.revision == role.revision]
        return sum(pod.ready and not pod.deleting for pod in pods)

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
