"""The guards over drawn requests: `guards.judge` itself, without the counters of pods that the operator subtracts.

Which requests make up a block is decided as in `guards.driver`; a test compares the two, look by look. Silence is left
out: whatever is drawn was answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from viridian.guards.alpha import allocate_alpha
from viridian.guards.blame import Attribution
from viridian.guards.config import Config
from viridian.guards.driver import BLOCK, WITHOUT_CONTROL
from viridian.guards.judge import Judgement, Observation, judge
from viridian.guards.series import RequestCounts, Traffic
from viridian.guards.state import State


@dataclass
class GuardRun:
    """The guards of one rollout.

    Attributes:
        config: What is guarded.
        routed: Whether a route splits the requests; without one they come to one revision at a time.
    """

    config: Config
    routed: bool = True
    _state: State = field(default_factory=State)
    _attributions: Mapping[str, Attribution] = field(default_factory=dict)
    _candidate: Traffic = field(default_factory=Traffic)
    _stable: Traffic = field(default_factory=Traffic)
    _since: float | None = None

    def look(
        self, stamp: float, candidate: RequestCounts, stable: RequestCounts, weight: int, weight_since: float
    ) -> list[Judgement]:
        """Take in the requests since the last look.

        Args:
            stamp: The moment up to which they were counted, in seconds.
            candidate: The candidate's.
            stable: Stable's.
            weight: The candidate's weight now, in percent.
            weight_since: Since when, in seconds.
        """
        first, self._since = self._since is None, stamp if self._since is None else self._since
        ticks = self._traffic(candidate), self._traffic(stable)
        self._candidate, self._stable = _sum(self._candidate, ticks[0]), _sum(self._stable, ticks[1])
        if first:
            self._state = allocate_alpha(self.config, self._state)
        control = weight < 100 and self.routed
        moved, known = weight != self._state.weight, self._state.weight is not None
        comparable = self._since >= self._state.comparable_from
        close = (
            (moved and known)
            or (not comparable and stamp >= self._state.comparable_from)
            or self._is_full(control=control)
        )
        seen = Observation(stamp, self._candidate, self._stable, *ticks, close, comparable, control)
        state, self._attributions, judgements = judge(self.config, self._state, seen, self._attributions)
        if close:
            self._candidate, self._stable, self._since = Traffic(), Traffic(), stamp
        comparable_from = weight_since + self.config.request_timeout if moved else state.comparable_from
        self._state = replace(state, stamp=self._since, weight=weight, comparable_from=comparable_from)
        return judgements

    def _traffic(self, counts: RequestCounts) -> Traffic:
        return Traffic(counts if self.routed else RequestCounts(), counts, answered=counts.answered)

    def _is_full(self, *, control: bool) -> bool:
        requests = self._candidate.unpinned.requests
        if requests >= WITHOUT_CONTROL:
            return True
        if not control:
            return requests >= BLOCK
        return requests >= BLOCK and self._stable.unpinned.requests >= BLOCK


def _sum(one: Traffic, other: Traffic) -> Traffic:
    comparable = one.comparable + other.comparable
    return Traffic(
        comparable,
        comparable if one.comparable is one.unpinned else one.unpinned + other.unpinned,
        answered=one.answered + other.answered,
    )
