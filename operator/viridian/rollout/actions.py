"""The writes that a decision asks for, as plain values. The shell carries them out in the order given."""

from dataclasses import dataclass

from viridian.api.names import Color


@dataclass(frozen=True)
class StoreRevision:
    """Render the spec of today and store it as a ControllerRevision."""

    name: str
    number: int


@dataclass(frozen=True)
class RestoreRevision:
    """Store a revision again whose ControllerRevision was lost, as its Deployment runs it."""

    name: str


@dataclass(frozen=True)
class ApplyColor:
    """Give a color's Deployment this revision's stored template and this many replicas."""

    color: Color
    revision: str
    replicas: int


@dataclass(frozen=True)
class ApplyColorService:
    """Make sure that a color's Service is there."""

    color: Color


@dataclass(frozen=True)
class PointStableService:
    """Let the Service NAME select this color."""

    color: Color


@dataclass(frozen=True)
class MoveWeights:
    """Bring all rules of the route to these weights in one write; makes the route when there is none."""

    weights: tuple[tuple[Color, int], ...]
    aborted: str | None = None


@dataclass(frozen=True)
class FollowTraffic:
    """Let the route follow an edited spec.traffic, weights as they are."""


@dataclass(frozen=True)
class PruneRevision:
    """Delete a ControllerRevision that nothing needs any more."""

    name: str


Action = (
    StoreRevision
    | RestoreRevision
    | ApplyColor
    | ApplyColorService
    | PointStableService
    | MoveWeights
    | FollowTraffic
    | PruneRevision
)
