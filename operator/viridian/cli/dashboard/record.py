"""What the page remembers of a model: weights, evidence and phases over time. Pure."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from viridian.cli.model import Json, Model

_KEPT: Final = 2_000
"""Points of each line; of a status that changes every second, the last half an hour."""


def _line() -> "deque[Json]":
    return deque(maxlen=_KEPT)


@dataclass
class Record:
    """The lines of one model since the page was started, each with its newest point last."""

    weights: deque[Json] = field(default_factory=_line)
    evidence: dict[str, deque[Json]] = field(default_factory=dict)
    phases: deque[Json] = field(default_factory=_line)

    def observe(self, model: Model, at: datetime) -> None:
        """Add a state of the model; a line gets a point only where its value has changed."""
        time = at.timestamp()
        roles = [role for role in (model.stable, model.candidate) if role]
        _add(self.weights, time, {str(role["color"]): int(role.get("weight", 0)) for role in roles})
        _add(self.phases, time, {"phase": model.phase, "reason": model.condition("Ready").get("reason", "")})
        guards = {f"{guard['name']} ({guard['kind']})": guard for guard in model.status.get("guards") or []}
        for name, guard in guards.items():
            line = self.evidence.setdefault(name, _line())
            _add(line, time, {"evidence": float(guard["evidence"]), "threshold": float(guard["threshold"])})
        for name in self.evidence.keys() - guards.keys():  # it is not judged any more: its line ends here
            _add(self.evidence[name], time, {"evidence": None, "threshold": None})

    def as_data(self) -> Json:
        """Return all lines for the page: lists of points, with `at` in seconds since 1970."""
        return {
            "weights": list(self.weights),
            "phases": list(self.phases),
            "evidence": {name: list(line) for name, line in self.evidence.items()},
        }


def _add(line: deque[Json], time: float, values: Json) -> None:
    if not line or {**line[-1], "at": 0} != {**values, "at": 0}:
        line.append({"at": time, **values})
