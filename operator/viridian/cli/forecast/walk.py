"""The steps of many rollouts without pods, gateway and people: `rollout.decide` where all of those do as they should.

Said again as arrays with one element for each rollout; a test gives both the same requests and compares them pass by
pass. Times are seconds since the beginning of a rollout.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from viridian.api.guards import Policy
from viridian.api.quantities import parse_percent
from viridian.api.rollout import Approval
from viridian.api.spec import ModelDeploymentSpec
from viridian.api.status import ModelDeploymentStatus
from viridian.rollout.context import RolloutContext
from viridian.rollout.observed import Observed, Settings
from viridian.rollout.split import SURE, log_likelihood_ratio
from viridian_shared.durations import parse_duration

Array = NDArray[Any]

_ANY_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Outcome(IntEnum):
    """How a rollout ends; RUNNING until it does."""

    RUNNING = 0
    PROMOTED = 1
    TURNED_BACK = 2
    EXPIRED = 3


@dataclass(frozen=True)
class Rules:
    """What a spec says about steps, read once. Arrays have an element for each step, the bake last.

    Attributes:
        weights: The candidate's share of the split, in percent.
        copies: The share of stable's requests of which it gets copies, 0 to 1.
        holds: How long each is watched, in seconds.
        min_requests: How many requests each wants.
        pods: How many pods of the candidate each wants.
        for_it: How much each request of the candidate speaks for the step's weight and against the one before it, as
            the logarithm of a likelihood ratio.
        against_it: The same of each request of stable.
        gates: Before which of them a person approves; one more than there are stands for the promotion.
        approval: How long that person takes, in seconds.
        deadline: After which the rollout expires, in seconds.
        no_traffic: How long a step may see no requests before the rollout expires; infinite to wait for the deadline.
    """

    weights: Array
    copies: Array
    holds: Array
    min_requests: Array
    pods: Array
    for_it: Array
    against_it: Array
    gates: Array
    approval: float
    deadline: float
    no_traffic: float

    @classmethod
    def of(cls, spec: ModelDeploymentSpec, approval: float = 0.0) -> "Rules":
        """Return those of a spec.

        Args:
            spec: What is asked for.
            approval: How long a person takes to approve, in seconds.
        """
        nothing = Observed(generation=1, colors={}, revisions={})
        settings = Settings(timedelta(seconds=1))
        context = RolloutContext("", spec, ModelDeploymentStatus(), nothing, settings, _ANY_TIME)
        numbers = range(1, len(context.steps) + 2)
        weights = [context.step_weight(number) for number in numbers]
        shadows = [context.step_shadow(number) for number in numbers]
        copies = [0.0 if share is None else parse_percent(share) for share in shadows]
        moves = list(zip(weights, [0, *weights], strict=False))
        idle = spec.guards.no_traffic
        return cls(
            np.array(weights),
            np.array(copies),
            np.array([context.step_hold(number).total_seconds() for number in numbers]),
            np.array([context.step_min_requests(number) for number in numbers]),
            np.array([context.required_replicas(context.step_load(number)) for number in numbers]),
            np.array([log_likelihood_ratio(1, 0, *move) if move[0] else 0.0 for move in moves]),
            np.array([log_likelihood_ratio(0, 1, *move) if move[0] else 0.0 for move in moves]),
            np.array(_gates(spec, copies)),
            approval,
            parse_duration(spec.rollout.deadline).total_seconds(),
            parse_duration(idle.after).total_seconds() if idle.then is Policy.ROLLBACK else np.inf,
        )


def _gates(spec: ModelDeploymentSpec, copies: list[float]) -> list[bool]:
    """Where a person approves: before the first step with its own users, or before the promotion."""
    first, asked = next(index for index, share in enumerate(copies) if not share), spec.rollout.approval
    at = {Approval.BEFORE_TRAFFIC: first, Approval.BEFORE_PROMOTION: len(copies)}.get(asked)
    return [index == at for index in range(len(copies) + 1)]


@dataclass(frozen=True)
class Counted:
    """Requests that were completed since a rollout began."""

    candidate: Array
    stable: Array
    mirrored: Array


class Walks:
    """Rollouts on their way.

    Attributes:
        rules: The steps.
        step: The step that each is at, from its beginning on, counted from 0.
        intended_at: Since when.
        verified_at: Since when requests are seen to follow it; not a number before.
        held_since: Since when a person is waited for; not a number while none is.
        waited: How long persons were waited for, in seconds.
        moved_at: When a request was last counted.
        outcome: How each ended, as a number of `Outcome`.
    """

    def __init__(self, rules: Rules, began: Array, waited: float = 0.0) -> None:
        """Give rollouts their first step.

        Args:
            rules: The steps.
            began: When, for each rollout.
            waited: How long a person was waited for before.
        """
        self.rules = rules
        rollouts = len(began)
        self.step = np.zeros(rollouts, dtype=int)
        self.intended_at, self.moved_at = began.astype(float), began.astype(float)
        self.verified_at, self.held_since = np.full(rollouts, np.nan), np.full(rollouts, np.nan)
        self.waited = np.full(rollouts, waited)
        self.outcome = np.zeros(rollouts, dtype=int)
        self._before = Counted(*(np.zeros(rollouts) for _ in range(3)))

    def keep(self, chosen: Array) -> None:
        """Go on with some of the rollouts only."""
        for name in ("step", "intended_at", "moved_at", "verified_at", "held_since", "waited", "outcome"):
            setattr(self, name, getattr(self, name)[chosen])
        before = self._before
        self._before = Counted(before.candidate[chosen], before.stable[chosen], before.mirrored[chosen])

    def look(
        self,
        now: Array,
        weight: Array,
        counted: Counted,
        breach: Array,
        shared: Array,
        speaks: Array,
        asked: Array | None = None,
    ) -> Array:
        """Decide on one move of each, as the operator does at each of its passes.

        Args:
            now: The time.
            weight: The candidate's weight in the route, in percent.
            counted: Requests since the rollout began.
            breach: Whether some guard blames the candidate.
            shared: Whether some guard lets nothing go forward.
            speaks: Whether each maximum can be said to be kept or not.
            asked: Which are asked; None for all.

        Returns:
            Which have gone on to another step.
        """
        rules, runs = self.rules, self.outcome == Outcome.RUNNING
        runs = runs if asked is None else runs & asked
        in_route = weight == rules.weights[self.step]
        unverified = np.isnan(self.verified_at)
        idle = unverified & in_route & (now - np.maximum(self.intended_at, self.moved_at) > rules.no_traffic)
        back = runs & breach
        late = runs & ~back & (idle | (self._running_for(now) >= rules.deadline))
        self.outcome[back], self.outcome[late] = Outcome.TURNED_BACK, Outcome.EXPIRED
        goes = runs & ~back & ~late & ~shared
        self._follow(now, counted, goes & unverified & in_route)
        return self._go_on(now, counted, goes & ~unverified & self._is_done(now, counted, speaks))

    def ends_at(self, counted: Counted, shared: Array, speaks: Array) -> Array:
        """When the step's hold is over, or the approval given, if nothing but that is waited for; else infinite."""
        hold = self.verified_at + self.rules.holds[self.step]
        end = np.where(np.isnan(self.held_since), hold, self.held_since + self.rules.approval)
        waits = (self.outcome == Outcome.RUNNING) & ~np.isnan(self.verified_at) & ~shared
        return np.where(waits & self._is_done(end, counted, speaks), end, np.inf)

    def _running_for(self, now: Array) -> Array:
        """How long the deadline's clock has run: not while a person was waited for."""
        running: Array = np.where(np.isnan(self.held_since), now, self.held_since) - self.waited
        return running

    def _follow(self, now: Array, counted: Counted, asked: Array) -> None:
        """Take in the requests counted so far, as `split.follow` and `shadow.begun` do."""
        rules, before = self.rules, self._before
        here, there = counted.candidate - before.candidate, counted.stable - before.stable
        for_it, against_it = rules.for_it[self.step], rules.against_it[self.step]
        with np.errstate(invalid="ignore"):  # 0 times infinite, which is not chosen
            candidate = np.where(here > 0, here * for_it, 0.0)
            stable = np.where((there > 0) & np.isfinite(candidate), there * against_it, 0.0)
        copied = rules.copies[self.step] > 0
        verified = asked & np.where(copied, counted.mirrored > before.mirrored, candidate + stable >= SURE)
        decided = verified | (asked & ~copied & (candidate + stable <= -SURE))
        self._start_anew(counted, decided)
        self.verified_at[verified] = now[verified]

    def _start_anew(self, counted: Counted, chosen: Array) -> None:
        for name in ("candidate", "stable", "mirrored"):
            getattr(self._before, name)[chosen] = getattr(counted, name)[chosen]

    def _is_done(self, now: Array, counted: Counted, speaks: Array) -> Array:
        rules, before = self.rules, self._before
        copied = rules.copies[self.step] > 0
        arrived = np.where(copied, counted.mirrored - before.mirrored, counted.candidate - before.candidate)
        held = now - self.verified_at >= rules.holds[self.step]
        done: Array = held & (arrived >= rules.min_requests[self.step]) & speaks
        return done

    def _go_on(self, now: Array, counted: Counted, done: Array) -> Array:
        rules = self.rules
        gated = done & rules.gates[self.step + 1]
        self.held_since = np.where(gated & np.isnan(self.held_since), now, self.held_since)
        waits = gated & (now - self.held_since < rules.approval)
        done = done & ~waits
        self.waited = np.where(done & gated, self.waited + now - self.held_since, self.waited)
        self.held_since[done] = np.nan
        last = done & (self.step == len(rules.weights) - 1)
        self.outcome[last] = Outcome.PROMOTED
        moves: Array = done & ~last
        self.step[moves] += 1
        self.intended_at[moves], self.verified_at[moves] = now[moves], np.nan
        self._start_anew(counted, moves)
        return moves
