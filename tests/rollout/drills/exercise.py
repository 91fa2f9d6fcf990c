"""A world with drills: a model at rest, and a twin that is played by hand."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tests.rollout.world import Violation, World, spec_for

from viridian.api.spec import ModelDeploymentSpec
from viridian.api.status import DrillRecord, DrillRun, DrillStage, DrillStatus, HistoryEntry, Phase
from viridian.rollout.drills import limits
from viridian.rollout.drills.actions import DrillAction, MakeTwin, RemoveTwin, SendTraffic, SpoilTwin
from viridian.rollout.drills.seen import DrillView, Preflight, TrafficReport, TrafficState, TrafficView, TwinView
from viridian.rollout.observed import Observed

WEEKLY = {"schedule": "0 10 * * 1", "window": "2h", "objective": "30s"}
GUARDS = {"latency": [{"percentile": "95", "max": "200ms"}]}
GOLDEN = {"golden": {}}


def drilled_spec(version: str = "v1.0.0", **changes: object) -> ModelDeploymentSpec:
    """A spec in which all kinds of drills may run."""
    return spec_for(version, **{"drill": WEEKLY, "guards": GUARDS, "checks": GOLDEN, **changes})


@dataclass
class Exercise(World):
    """A world that carries out the writes of drills, and holds them against what a drill must never do."""

    twin: TwinView | None = None
    sender: TrafficView | None = None
    preflight: Preflight = field(default_factory=Preflight)
    left: bool = False
    refused_write: str = ""
    made: int = 0

    def observe(self) -> Observed:
        """The world as the core is shown it, with the twin."""
        seen = DrillView(
            twin=self.twin,
            traffic=self.sender if self.twin is not None else None,
            preflight=self.preflight,
            left=self.left,
            refused=self.refused_write,
        )
        return replace(super().observe(), drill=seen)

    @property
    def drill(self) -> DrillStatus:
        """The status of the drills."""
        return self.status.drill or DrillStatus()

    @property
    def run(self) -> DrillRun:
        """The drill that runs."""
        assert self.drill.running is not None
        return self.drill.running

    @property
    def last(self) -> DrillRecord:
        """The last drill."""
        assert self.drill.last is not None
        return self.drill.last

    def look(self, *, dies: bool = False) -> None:
        """One pass of the operator; it may die before the writes of the drill."""
        actions = self.decide().drill
        self.reconcile()
        self.refused_write = ""
        for action in () if dies else actions:
            self.apply_to_twin(action)

    def go_on(self, passes: int = 3) -> None:
        """Some passes in which nothing else happens."""
        for _ in range(passes):
            self.kubelet()
            self.look()
            self.traffic()

    def apply_to_twin(self, action: DrillAction) -> None:
        """Make a write of a drill."""
        running = self.drill.running
        match action:
            case MakeTwin(revision):
                if self.twin is not None:
                    raise Violation("a second twin")
                if self.status.candidate is not None or self.status.phase is not Phase.STABLE:
                    raise Violation("a drill begins during a rollout")
                if running is None or self.status.stable is None or revision != self.status.stable.revision:
                    raise Violation("a twin that no drill asked for")
                self.twin, self.sender, self.made = TwinView(Phase.PENDING), None, self.made + 1
            case SpoilTwin(_, kind) if self.twin is not None:
                if self.sender is None:
                    raise Violation("fails on purpose before anything is sent")
                self.twin = replace(self.twin, spoiled=kind, phase=Phase.PENDING)
            case SendTraffic() if self.twin is not None:
                if self.sender is not None:
                    raise Violation("requests are sent twice")
                self.sender = TrafficView(TrafficState.PENDING)
            case RemoveTwin() if self.twin is not None:
                self.twin = replace(self.twin, going=True)
            case _:
                raise Violation(f"{action} without a twin")

    # ------------------------------------------------------------------ how the twin gets on

    def settles(self) -> None:
        """The twin serves stable's version."""
        assert self.twin is not None
        self.twin = replace(self.twin, phase=Phase.STABLE, available=True)

    def sends(self) -> None:
        """Requests are sent."""
        self.sender = TrafficView(TrafficState.RUNNING, since=self.now)

    def is_turned_back(self, after: timedelta, failed: int = 40, *, checked: bool = False) -> None:
        """The twin has turned its bad version back, so long after the first bad answer."""
        assert self.twin is not None
        first = self.now - after
        entry = HistoryEntry(
            revision="iris-drill-2",
            version="v1.0.0",
            result="RolledBack",
            message="errors: 40 of 40 requests failed",
            started_at=first - timedelta(seconds=20),
            ended_at=self.now,
            evidence_at=self.now - after / 2,
            reverted_at=self.now,
        )
        span = (first, self.now) if checked else None
        self.twin = replace(self.twin, phase=Phase.ROLLED_BACK, ended=entry, checked=span)
        if not checked:
            self.sender = TrafficView(
                TrafficState.DONE, report=TrafficReport(200, failed, first, self.now, "status 500")
            )

    def is_gone(self) -> None:
        """The API server has deleted the twin."""
        assert self.twin is not None
        assert self.twin.going
        self.twin, self.sender = None, None


def exercise(**changes: object) -> Exercise:
    """A world at rest in which drills are scheduled."""
    world = Exercise(drilled_spec(**changes))
    world.spec = spec_for(serving=changes.get("serving", {"replicas": 3}))
    world.settle()
    world.spec, world.generation = drilled_spec(**changes), 2
    world.go_on(2)
    return world


def due(world: Exercise) -> Exercise:
    """The world when the next drill is due."""
    assert world.drill.next is not None
    world.now = world.drill.next
    world.go_on(1)
    return world


def failing(world: Exercise) -> Exercise:
    """The world with the known-bad version in the twin."""
    world.go_on(1)
    world.settles()
    world.go_on(2)
    world.sends()
    world.now += limits.WARM_UP
    world.go_on(2)
    assert world.run.stage is DrillStage.FAILING
    assert world.twin is not None
    assert world.twin.spoiled is world.run.kind
    return world


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(f"{text}+00:00")
