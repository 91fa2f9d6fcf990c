"""What the requests of a drill have met: how many failed, when the first one did, and whether that is over. Pure."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec

_LONGEST = 300
"""Characters of a failure that a report quotes: a container's last words are short."""


class Plan(msgspec.Struct, frozen=True):
    """What is asked for, in VIRIDIAN_TRAFFIC. Times are in seconds."""

    url: str
    """Of the model, such as http://iris-drill.default.svc:8080."""
    rate: float
    """Requests a second."""
    quiet: float
    """After failures, how long none may be seen before they count as over."""
    longest: float
    """When to end whatever is seen."""
    slow: float | None = None
    """Answers that take longer count as failures; None: however slow."""


@dataclass(frozen=True)
class Tally:
    """What was seen so far; times are in seconds since the epoch."""

    requests: int = 0
    failed: int = 0
    first: float | None = None
    """When the first failure was seen."""
    last: float | None = None
    example: str = ""
    """The first failure, in words."""

    def after(self, at: float, failure: str) -> "Tally":
        """Return the same with another request.

        Args:
            at: When it ended.
            failure: What was wrong; empty where nothing was.
        """
        counted = replace(self, requests=self.requests + 1)
        if not failure:
            return counted
        first, example = (at, failure) if self.first is None else (self.first, self.example)
        return replace(counted, failed=self.failed + 1, first=first, last=at, example=example)

    def is_over(self, now: float, plan: Plan) -> bool:
        """Whether there were failures, and there are none any more."""
        return self.last is not None and now - self.last >= plan.quiet

    def report(self) -> str:
        """Return what the operator reads, as JSON."""
        told = {
            "requests": self.requests,
            "failed": self.failed,
            "firstFailureAt": _time(self.first),
            "lastFailureAt": _time(self.last),
            "example": self.example[:_LONGEST],
        }
        return msgspec.json.encode({name: value for name, value in told.items() if value is not None}).decode()


def _time(moment: float | None) -> str | None:
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
