"""How many requests there were, and how many of them went wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """Requests of one revision over one span of time.

    Attributes:
        total: Completed requests.
        events: Those of them that count against the revision: errors for an error guard, slow ones for a latency guard.

    Raises:
        ValueError: Unless 0 <= events <= total.
    """

    total: int = 0
    events: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.events <= self.total:
            raise ValueError(f"{self.events} events of {self.total} requests: events must lie between 0 and the total")

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.total + other.total, self.events + other.events)

    @property
    def rate(self) -> float:
        """The share of events, 0 to 1; 0 when there were no requests."""
        return self.events / self.total if self.total else 0.0


@dataclass(frozen=True)
class Block:
    """Requests of candidate and stable that completed in the same span of time.

    Attributes:
        candidate: What the revision under test did.
        stable: What the revision it is compared with did meanwhile.
    """

    candidate: Counts = Counts()
    stable: Counts = Counts()

    def __add__(self, other: Block) -> Block:
        return Block(self.candidate + other.candidate, self.stable + other.stable)
