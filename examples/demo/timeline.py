"""What was seen of the model and its route, and when. Pure: objects and times come in as arguments."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

COLORS = ("blue", "green")
Weights = dict[str, int]


@dataclass(frozen=True)
class Role:
    """Stable or candidate: which color plays it, with which revision."""

    color: str
    revision: str
    version: str
    replicas: int
    ready: int

    @classmethod
    def read(cls, role: Mapping[str, Any] | None) -> "Role | None":
        """Read `status.stable` or `status.candidate`."""
        if not role:
            return None
        return cls(role["color"], role["revision"], role["version"], role.get("replicas", 0), role.get("ready", 0))


@dataclass(frozen=True)
class Finished:
    """How a rollout ended."""

    version: str
    result: str
    message: str
    evidence_at: float | None
    """When the scrape that completed the evidence was made."""


@dataclass(frozen=True)
class Condition:
    """One condition of the status."""

    type: str
    status: str
    reason: str
    message: str

    def __str__(self) -> str:
        """In words."""
        return f"{self.type}={self.status} ({self.reason}: {self.message})"


@dataclass(frozen=True)
class Status:
    """What the demonstration needs of a ModelDeployment's status."""

    observed_generation: int = 0
    phase: str = ""
    step: str = ""
    stable: Role | None = None
    candidate: Role | None = None
    verdict: str = ""
    hold: str = ""
    guards: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    failed_versions: tuple[str, ...] = ()
    history: tuple[Finished, ...] = ()

    @classmethod
    def read(cls, deployment: Mapping[str, Any]) -> "Status":
        """Read a ModelDeployment as the API server gives it; one without a status yet has empty fields."""
        status = deployment.get("status") or {}
        return cls(
            observed_generation=status.get("observedGeneration", 0),
            phase=status.get("phase", ""),
            step=_step(status.get("step")),
            stable=Role.read(status.get("stable")),
            candidate=Role.read(status.get("candidate")),
            verdict=status.get("verdict", ""),
            hold=(status.get("hold") or {}).get("message", ""),
            guards=tuple(f"{guard['name']}: {guard['message']}" for guard in status.get("guards", [])),
            conditions=tuple(
                Condition(*(condition.get(key, "") for key in ("type", "status", "reason", "message")))
                for condition in status.get("conditions", [])
            ),
            failed_versions=tuple(entry["version"] for entry in status.get("failed", [])),
            history=tuple(_finished(entry) for entry in status.get("history", [])),
        )

    def role_of(self, version: str) -> Role | None:
        """The role that this version plays, if any."""
        return next((role for role in (self.candidate, self.stable) if role and role.version == version), None)


def _step(step: Mapping[str, Any] | None) -> str:
    if not step:
        return ""
    return "bake" if step["index"] > step["count"] else f"step {step['index']} of {step['count']}"


def _finished(entry: Mapping[str, Any]) -> Finished:
    evidence_at = entry.get("evidenceAt")
    return Finished(
        version=entry["version"],
        result=entry["result"],
        message=entry["message"],
        evidence_at=datetime.fromisoformat(evidence_at).timestamp() if evidence_at else None,
    )


def read_weights(route: Mapping[str, Any], name: str) -> Weights:
    """The weights of both colors in a route's default rule, which is its last."""
    backends = route["spec"]["rules"][-1]["backendRefs"]
    by_name = {backend["name"]: backend.get("weight", 1) for backend in backends}
    return {color: by_name[f"{name}-{color}"] for color in COLORS if f"{name}-{color}" in by_name}


@dataclass(frozen=True)
class RouteSeen:
    """From this moment on the route had these weights."""

    at: float
    weights: Weights


@dataclass(frozen=True)
class StatusSeen:
    """From this moment on the status was this."""

    at: float
    status: Status


@dataclass
class Timeline:
    """Everything that was seen, oldest first; only what differs from what was seen before."""

    routes: list[RouteSeen] = field(default_factory=list)
    statuses: list[StatusSeen] = field(default_factory=list)

    @property
    def status(self) -> Status:
        """The status that was seen last."""
        return self.statuses[-1].status if self.statuses else Status()

    @property
    def weights(self) -> Weights:
        """The weights that were seen last."""
        return self.routes[-1].weights if self.routes else {}

    def saw_status(self, at: float, status: Status) -> None:
        """Add what the status was at this moment."""
        if not self.statuses or self.status != status:
            self.statuses.append(StatusSeen(at, status))

    def saw_weights(self, at: float, weights: Weights) -> None:
        """Add what the route's weights were at this moment."""
        if not self.routes or self.weights != weights:
            self.routes.append(RouteSeen(at, weights))

    def document(self) -> dict[str, Any]:
        """Everything as JSON takes it."""
        return {
            "routes": [asdict(seen) for seen in self.routes],
            "statuses": [asdict(seen) for seen in self.statuses],
        }
