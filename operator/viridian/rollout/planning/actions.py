"""The writes that a decision asks for, as plain values. The shell carries them out in the order given."""

from dataclasses import dataclass

from viridian.api.names import Color, color_name
from viridian.rollout.observed import Autoscaler

Weights = tuple[tuple[Color, int], ...]
"""Colors with their weights in percent, sorted."""


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
class ApplyLiveSettings:
    """Tell running pods what the spec has for them to reload."""


@dataclass(frozen=True)
class ApplyBudget:
    """Make sure that a color's PodDisruptionBudget is there."""

    color: Color


@dataclass(frozen=True)
class ApplyAutoscaler:
    """Let a HorizontalPodAutoscaler set a color's replicas within these bounds."""

    color: Color
    autoscaler: Autoscaler


@dataclass(frozen=True)
class RemoveAutoscaler:
    """Take a color's replicas out of the hands of its HorizontalPodAutoscaler."""

    color: Color


@dataclass(frozen=True)
class PointStableService:
    """Let the Service NAME select this color."""

    color: Color


@dataclass(frozen=True)
class MoveWeights:
    """Bring all rules to these weights in one write; makes what carries them when it is not there.

    `pins` are the weights of the rules for pinned users; `shadow` is what stable's pods are to mirror, if anything, as
    the route's header has it.
    """

    weights: Weights
    pins: Weights
    aborted: str | None = None
    shadow: str | None = None


@dataclass(frozen=True)
class FollowTraffic:
    """Let the route follow an edited spec.traffic, the split as it is; `pins` are the weights of pin rules."""

    pins: Weights


@dataclass(frozen=True)
class RemoveRoute:
    """Delete our route: the spec names no gateway any more."""


@dataclass(frozen=True)
class RunCheck:
    """Create the Job of a check of the candidate."""

    name: str
    color: Color
    revision: str


@dataclass(frozen=True)
class EndCheck:
    """Delete the Job of a check that is no longer needed: the candidate is being taken back."""

    name: str


@dataclass(frozen=True)
class LookAtKept:
    """Create the Job that looks whether a kept revision can still be run; `look` names this look."""

    revision: str
    look: str


@dataclass(frozen=True)
class PruneRevision:
    """Delete a ControllerRevision that nothing needs any more."""

    name: str


Action = (
    StoreRevision
    | RestoreRevision
    | ApplyColor
    | ApplyColorService
    | ApplyLiveSettings
    | ApplyBudget
    | ApplyAutoscaler
    | RemoveAutoscaler
    | PointStableService
    | MoveWeights
    | FollowTraffic
    | RemoveRoute
    | RunCheck
    | EndCheck
    | LookAtKept
    | PruneRevision
)


def written_by(action: Action, model: str) -> str:
    """Kind and name of the object that an action writes for a model, for people."""
    match action:
        case ApplyColor(color):
            return f"Deployment {color_name(model, color)}"
        case ApplyColorService(color):
            return f"Service {color_name(model, color)}"
        case PointStableService():
            return f"Service {model}"
        case ApplyBudget(color):
            return f"PodDisruptionBudget {color_name(model, color)}"
        case ApplyAutoscaler(color) | RemoveAutoscaler(color):
            return f"HorizontalPodAutoscaler {color_name(model, color)}"
        case ApplyLiveSettings():
            return f"ConfigMap of {model}'s live settings"
        case MoveWeights() | FollowTraffic() | RemoveRoute():
            return f"the traffic resources of {model}"
        case RunCheck(name) | EndCheck(name) | LookAtKept(name):
            return f"Job of the check {name}"
        case StoreRevision(name) | RestoreRevision(name) | PruneRevision(name):
            return f"ControllerRevision {name}"
