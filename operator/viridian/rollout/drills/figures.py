"""What metrics say of a model's drills: few values, as they are kept for each of many models."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from viridian.api.drill import DEFAULT_OBJECTIVE, drilled_model
from viridian_shared.durations import parse_duration


@dataclass(frozen=True, slots=True)
class DrillFigures:
    """Times are in seconds, moments in seconds since the epoch.

    Attributes:
        is_twin: Whether it is itself the twin of a drill.
        objective: Longest time to safe that passes; None for a model without `spec.drill`.
        since: Since when drills are scheduled.
        passed_at: When one last passed.
        kind: How the last one's version failed.
        result: How that ended.
        ended_at: When that was.
        seconds: From its first bad answer until all traffic was on stable; None where that is not known.
    """

    is_twin: bool = False
    objective: float | None = None
    since: float | None = None
    passed_at: float | None = None
    kind: str = ""
    result: str = ""
    ended_at: float = 0.0
    seconds: float | None = None

    @classmethod
    def of(cls, manifest: dict[str, Any]) -> Self | None:
        """Return those of a ModelDeployment; None for one that has nothing to do with drills, or is not readable."""
        spec = (manifest.get("spec") or {}).get("drill")
        status = (manifest.get("status") or {}).get("drill") or {}
        is_twin = drilled_model(manifest["metadata"]) is not None
        if spec is None and not status and not is_twin:
            return None
        last = status.get("last") or {}
        try:
            return cls(
                is_twin=is_twin,
                objective=None if spec is None else _seconds(spec.get("objective", DEFAULT_OBJECTIVE)),
                since=_moment(status.get("since")),
                passed_at=_moment(status.get("passedAt")),
                kind=str(last.get("kind", "")),
                result=str(last.get("result", "")),
                ended_at=_moment(last.get("endedAt")) or 0.0,
                seconds=_seconds(last["timeToSafe"]) if last.get("timeToSafe") else None,
            )
        except (ValueError, TypeError):  # a worker tells the user what is wrong
            return None


def _seconds(text: str) -> float:
    return parse_duration(text).total_seconds()


def _moment(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None
