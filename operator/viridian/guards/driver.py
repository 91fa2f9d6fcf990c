"""From snapshots of counters to judgements: which requests make up a block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from viridian.guards.alpha import allocate_alpha
from viridian.guards.blame import Attribution
from viridian.guards.config import Config
from viridian.guards.judge import Judgement, Observation, judge
from viridian.guards.series import Snapshot, Traffic, delta
from viridian.guards.silence import SilentPeriod, Tick, check_liveness
from viridian.guards.state import State

BLOCK: Final = 5
"""Comparable requests that a block wants from each side. A scrape that holds one side's requests only, or one request,
says nothing about a difference."""

WITHOUT_CONTROL: Final = 250
"""Requests on the candidate after which a block ends although stable has had almost none."""


@dataclass(frozen=True)
class Window:
    """The open block, kept in memory only.

    Attributes:
        start: The counters at the end of the last closed block. After a restart they are read again as they stood at
            `State.stamp`.
        latest: The counters as last seen. Pods that have vanished since stay in it with their last counts.
        attributions: Whether stable fails as well, for each guard with a fixed maximum.
        silent: The stretch of time in which the candidate has answered nothing; None where it is not asked to.
    """

    start: Snapshot
    latest: Snapshot
    attributions: Mapping[str, Attribution] = field(default_factory=dict)
    silent: SilentPeriod | None = None

    @classmethod
    def at(cls, snapshot: Snapshot) -> Window:
        """Returns a block that begins with a snapshot."""
        return cls(snapshot, snapshot)


@dataclass(frozen=True)
class Rollout:
    """What is being compared, and since when.

    Attributes:
        candidate: The revision under test.
        stable: The one it is compared with; None for a model's first revision.
        weight: The candidate's weight in percent.
        weight_since: When that weight was written to the route, in seconds since the epoch.
        routed: Whether a route brings the requests. Without one they come through a Service, to one revision at a time:
            all of them count against fixed maxima, and there is nothing to compare.
    """

    candidate: str
    stable: str | None
    weight: int
    weight_since: float
    routed: bool = True

    @property
    def control(self) -> bool:
        """Whether stable is meant to get its own requests."""
        return self.stable is not None and self.weight < 100 and self.routed


def advance(
    config: Config, state: State, window: Window | None, now: Snapshot, rollout: Rollout
) -> tuple[State, Window, list[Judgement]]:
    """Takes in a snapshot of the counters.

    A block ends when both sides have had a few comparable requests, when stable is not meant to get any, and always
    when the weight or the set of pods changes. What failed never matters to that. The evidence changes only when a
    block ends; it stands for the requests up to `State.stamp`.

    Args:
        config: The guards.
        state: What they remember; `State()` at first.
        window: The open block; None at first, or when the counters at `State.stamp` cannot be had any more: then the
            requests since are lost to the guards, and a new block begins.
        now: The latest aligned snapshot. An older one than the last changes nothing.
        rollout: What is being compared.

    Returns:
        The new state, the new window, and one judgement per guard; and one more if the candidate is silent.
    """
    before, state = state, allocate_alpha(config, state)
    if window is not None:
        now = now.after(window.latest) if now.stamp >= window.latest.stamp else window.latest
    if window is None or state is not before:
        # New and edited guards start with requests that arrive from now on.
        window = Window.at(now)

    moved = rollout.weight != state.weight
    comparable = window.start.stamp >= state.comparable_from
    candidate, stable = _traffic(window.start, now, rollout)
    candidate_tick, stable_tick = _traffic(window.latest, now, rollout)
    close = (
        (moved and state.weight is not None)
        or (not comparable and now.stamp >= state.comparable_from)
        or _enough(candidate, stable, rollout.control, rejected=config.rejected is not None)
        or _pods_changed(window.start, now, rollout)
    )
    seen = Observation(
        now.stamp,
        candidate,
        stable,
        candidate_tick,
        stable_tick,
        close,
        comparable,
        rollout.control,
        len(now.live(rollout.candidate)),
        alone=not rollout.weight and rollout.control,
    )
    state, attributions, judgements = judge(config, state, seen, window.attributions)
    tick = Tick(
        now.stamp,
        rollout.weight / 100 if rollout.control else 0.0,
        moved,
        now.live(rollout.candidate),
        candidate_tick,
        stable_tick,
    )
    reach, silent, silence = check_liveness(config, state.reach, window.silent, tick)

    window = Window(now if close else window.start, now, attributions, silent)
    comparable_from = rollout.weight_since + config.request_timeout if moved else state.comparable_from
    state = replace(
        state, stamp=window.start.stamp, weight=rollout.weight, comparable_from=comparable_from, reach=reach
    )
    return state, window, [*judgements, *([silence] if silence is not None else [])]


def _traffic(before: Snapshot, after: Snapshot, rollout: Rollout) -> tuple[Traffic, Traffic]:
    stable = delta(before, after, rollout.stable, rollout.routed) if rollout.stable is not None else Traffic()
    return delta(before, after, rollout.candidate, rollout.routed), stable


def _enough(candidate: Traffic, stable: Traffic, control: bool, rejected: bool) -> bool:
    """Whether a block is full, by counts of requests alone, and of those that no client could choose to send here.

    Where rejected requests are judged they are some of those: a candidate that rejects all would never fill a block.
    """
    if candidate.unpinned.requests >= WITHOUT_CONTROL:
        return True
    if not control:
        return candidate.unpinned.requests >= BLOCK
    numbers = [
        traffic.comparable.refused().total if rejected else traffic.comparable.requests
        for traffic in (candidate, stable)
    ]
    return min(numbers) >= BLOCK


def _pods_changed(start: Snapshot, now: Snapshot, rollout: Rollout) -> bool:
    revisions = [revision for revision in (rollout.candidate, rollout.stable) if revision is not None]
    return any(start.live(revision) != now.live(revision) for revision in revisions)
