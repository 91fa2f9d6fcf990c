"""The writes of a drill. All but the twin are the twin's children, and go with it."""

from dataclasses import dataclass

from viridian_shared.drill import DrillKind


@dataclass(frozen=True)
class MakeTwin:
    """Create the twin with a revision of the model, stable's."""

    revision: str


@dataclass(frozen=True)
class SpoilTwin:
    """Ask for the known-bad version of the same revision in the twin's spec."""

    revision: str
    kind: DrillKind


@dataclass(frozen=True)
class SendTraffic:
    """Create the Job that sends requests to the twin."""

    revision: str
    kind: DrillKind


@dataclass(frozen=True)
class RemoveTwin:
    """Delete the twin, and with it all that was made for the drill."""


DrillAction = MakeTwin | SpoilTwin | SendTraffic | RemoveTwin
