"""The guards of many rollouts at once: `guards.driver` and `guards.judge` as arrays with one element for each rollout.

The formulas are those of `guards`. What is said again here is which requests make up a block and which verdict follows
from which evidence; a test gives both the same requests and compares them, look by look. Left out are silence (whatever
is drawn was answered), edits of guards in mid-rollout, restarts, and sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from viridian.guards import absolute, relative
from viridian.guards.alpha import allocate_alpha
from viridian.guards.blame import A_FEW, HIGHEST, LONG_WAIT, SETTLED, SHARED_ALPHA, SHORT_WAIT, told_apart
from viridian.guards.config import Config, Source, absolute_guards, bounds, relative_guards
from viridian.guards.design import own_effect, tempered
from viridian.guards.driver import BLOCK, WITHOUT_CONTROL
from viridian.guards.eprocess import HEAD, LARGEST_LOG, ROUNDING, log_e_value, weighed, weight
from viridian.guards.judge import MIN_PODS, Verdict
from viridian.guards.power import SPEAK_ALPHA
from viridian.guards.state import WITNESS, State

from .tables import ERRORS, REJECTED, SLOW, TOTAL, Array, Requests, add_spread, effect_of, rate_of, row_of

VERDICTS: Final = (
    Verdict.HEALTHY,
    Verdict.NOT_ENOUGH_DATA,
    Verdict.SHARED_INCIDENT,
    Verdict.POD_CONFOUNDED,
    Verdict.BREACH,
)
"""What the numbers in `Looked.verdicts` stand for."""

_HEALTHY, _FEW, _SHARED, _CONFOUNDED, _BREACH = range(len(VERDICTS))


@dataclass(frozen=True)
class Looked:
    """What the guards say.

    Attributes:
        verdicts: With rows for the guards with a fixed maximum: indices of `VERDICTS`.
        evidence: With rows for those guards and then for the comparisons with stable: the e-values.
        breach: Whether some guard blames the candidate.
        shared: Whether some guard says that both fail, so that nothing goes forward.
        speaks: Whether each maximum can be said to be kept or not.
    """

    verdicts: Array
    evidence: Array
    breach: Array
    shared: Array
    speaks: Array


class GuardBatch:
    """The guards of many rollouts, each with its own clock."""

    def __init__(self, asked: Config, rollouts: int, routed: bool = True, pods: int = MIN_PODS) -> None:
        """Start without evidence.

        Args:
            asked: What is guarded.
            rollouts: How many rollouts.
            routed: Whether a route splits the requests; without one they come to one revision at a time.
            pods: Of the candidate.
        """
        self._config, self._routed, self._pods = asked, routed, pods
        self.fixed = tuple(absolute_guards(asked, Source.REQUESTS))
        self.compared = tuple(relative_guards(asked, Source.REQUESTS))
        grid = bounds([asked])
        self.rows = SLOW + len(grid)
        rows = [SLOW + grid.index(guard.latency.bound) if guard.latency else ERRORS for guard in self.fixed]
        self._row = np.array(rows, dtype=int)
        self._maximum = np.array([guard.maximum for guard in self.fixed]).reshape(-1, 1)
        self._of_stable = np.array(
            [bool(each.latency and each.latency.of_stable) for each in self.fixed], bool
        ).reshape(-1, 1)
        shares = allocate_alpha(asked, State())
        self._alpha = np.array([shares.absolute[guard.name].alpha for guard in self.fixed]).reshape(-1, 1)
        self._worse_alpha = np.array([shares.relative[guard.name].alpha for guard in self.compared]).reshape(-1, 1)

        before = set(vars(self))
        g, r, n = len(self.fixed), len(self.compared), rollouts
        start = np.log(HEAD)
        self._above = np.full((len(absolute.ABOVE), g, n), start)
        self._stable_above = self._above.copy()
        self._pinned = self._above.copy()
        self._below = np.full((len(absolute.BELOW), g, n), start)
        self._blocks = np.zeros(n)
        self._pinned_blocks = np.zeros(n)
        self._stretch = np.zeros((4, g, n))  # the candidate's requests and events, stable's requests and events
        self._was_shared = np.zeros((g, n), dtype=bool)
        self._apart, self._over_since = np.zeros((g, n)), np.full((g, n), np.nan)
        self._worse = np.full((len(relative.ALTERNATIVES), r, n), start)
        self._worse_blocks = np.zeros((r, n))
        # How far stable's pods lie apart, for each guard: the sum of Pearson's statistic, and of its mean under chance.
        self._apart_fixed, self._apart_compared = np.zeros((2, g, n)), np.zeros((2, r, n))

        self._candidate, self._unpinned = np.zeros((self.rows, n)), np.zeros((self.rows, n))
        self._stable, self._pins = np.zeros((self.rows, n)), np.zeros((self.rows, n))
        self._stable_pods: Array | None = None
        self._candidate_pods: Array | None = None
        self._since = np.full(n, np.nan)
        self._weight = np.full(n, np.nan)
        self._comparable_from = np.zeros(n)
        self._by_rollout = vars(self).keys() - before

    def keep(self, chosen: Array) -> None:
        """Go on with some of the rollouts only.

        Args:
            chosen: For each rollout whether it goes on.
        """
        for name in self._by_rollout:
            value = getattr(self, name)
            setattr(self, name, None if value is None else value[..., chosen])

    def look(self, stamp: Array, new: Requests, weights: Array, weight_since: Array) -> Looked:
        """Take in the requests since the last look.

        Args:
            stamp: The moment up to which they were counted, in seconds.
            new: Those requests.
            weights: The candidate's weight now, in percent.
            weight_since: Since when, in seconds.
        """
        self._since = np.where(np.isnan(self._since), stamp, self._since)
        unpinned = self._take_in(new)
        control = (weights < 100) & self._routed
        moved, known = weights != self._weight, ~np.isnan(self._weight)
        comparable = self._since >= self._comparable_from
        close = (moved & known) | (~comparable & (stamp >= self._comparable_from)) | self._is_full(control)
        told = self._judge_fixed(stamp, unpinned, new.stable, close, control)
        worse = self._compare(close & comparable)
        if new.stable_pods is not None:
            self._tell_alone(new.stable_pods, (weights == 0) & self._routed)
        if close.any():
            for counts in (self._candidate, self._unpinned, self._stable, self._pins):
                counts[:, close] = 0
            for pods in (self._stable_pods, self._candidate_pods):
                if pods is not None:
                    pods[..., close] = 0
            self._since = np.where(close, stamp, self._since)
        self._comparable_from = np.where(moved, weight_since + self._config.request_timeout, self._comparable_from)
        self._weight = weights.astype(float)
        verdicts, evidence, speaks = told
        return Looked(
            verdicts,
            np.concatenate((evidence, worse)),
            (verdicts == _BREACH).any(axis=0) | (worse >= 1 / self._worse_alpha).any(axis=0),
            (verdicts == _SHARED).any(axis=0),
            speaks.all(axis=0),
        )

    @property
    def thresholds(self) -> Array:
        """The evidence at which each guard blames the candidate, in the order of `Looked.evidence`."""
        each: Array = np.concatenate((1 / self._alpha, 1 / self._worse_alpha))[:, 0]
        return each

    def _take_in(self, new: Requests) -> Array:
        """Add to the open blocks; the candidate's requests that no client sent there by choice are returned."""
        nothing = np.zeros_like(new.candidate)
        unpinned = new.candidate + (nothing if new.mirrored is None else new.mirrored)
        self._candidate = self._candidate + (new.candidate if self._routed else nothing)
        self._unpinned = self._unpinned + unpinned
        self._stable = self._stable + new.stable
        if new.pinned is not None:
            self._pins = self._pins + new.pinned
        if new.stable_pods is not None:
            self._stable_pods = new.stable_pods + (0 if self._stable_pods is None else self._stable_pods)
        if new.candidate_pods is not None:
            self._candidate_pods = new.candidate_pods + (0 if self._candidate_pods is None else self._candidate_pods)
        return unpinned

    def _is_full(self, control: Array) -> Array:
        arrived = self._unpinned[TOTAL]
        both = np.minimum(self._arrived(self._candidate), self._arrived(self._stable))
        full: Array = (arrived >= WITHOUT_CONTROL) | (np.where(control, both, arrived) >= BLOCK)
        return full

    def _arrived(self, counts: Array) -> Array:
        """Requests that fill a block; refused ones are some of those where they are judged."""
        arrived: Array = counts[TOTAL] + counts[REJECTED] if self._config.rejected is not None else counts[TOTAL]
        return arrived

    def _judge_fixed(
        self, stamp: Array, tick: Array, stable_tick: Array, close: Array, control: Array
    ) -> tuple[Array, Array, Array]:
        """Weigh the open block against the fixed maxima; for each guard a verdict, the e-value, and whether it speaks.

        See `judge.judge_absolute`.
        """
        row, maximum = self._row, self._maximum
        block = self._tables(self._unpinned, self._stable)
        log_w = np.log(weight(self._blocks + 1))
        effect = effect_of(self._apart_fixed), self._within(self._row)
        above = self._weighed(self._above, block[1], block[0], absolute.ABOVE, log_w, effect)
        stable_above = self._weighed(self._stable_above, block[3], block[2], absolute.ABOVE, log_w)
        below = self._weighed(self._below, block[1], block[0], absolute.BELOW, log_w)
        blocks, stretch = self._blocks + 1, self._stretch + block

        log_above = log_e_value(above, blocks)
        pinned, pinned_blocks, evidence = self._with_pins(log_above, effect)
        over = evidence >= 1 / self._alpha
        rate, stable_rate = rate_of(stretch[1], stretch[0]), rate_of(stretch[3], stretch[2])
        failing = rate_of(tick[row], tick[TOTAL]) > maximum
        apart, since = self._attributed(stamp, rate, failing, stable_tick, over)

        settled = apart >= SETTLED
        both = (log_e_value(stable_above, blocks) >= -np.log(SHARED_ALPHA)) | (
            (stable_rate > maximum) & ((stretch[3] >= A_FEW) | ~settled)
        )
        waited = ~np.isnan(since) & (stamp - since >= np.where(stretch[2] < A_FEW, SHORT_WAIT, LONG_WAIT))
        blamed = settled | ~control | (failing & waited)
        confounded = self._of_stable & (self._pods < MIN_PODS)
        lasts = self._was_shared & ((np.minimum(rate, stable_rate) > maximum) | ~close)
        speaks = log_e_value(below, blocks) >= -np.log(SPEAK_ALPHA)
        verdicts = np.where(
            over,
            np.where(both, _SHARED, np.where(confounded, _CONFOUNDED, np.where(blamed, _BREACH, _FEW))),
            np.where(lasts, _SHARED, np.where(speaks, _HEALTHY, _FEW)),
        )

        if close.any():
            shared = verdicts == _SHARED
            most = np.where(shared, np.log(HEAD), np.log(len(absolute.ABOVE) / self._alpha))
            quiet = log_above < ROUNDING
            left = np.where(shared, block, np.where(quiet, 0.0, stretch))
            forgotten = shared | (left == 0).all(axis=0)
            self._above = np.where(close, np.minimum(above, most), self._above)
            self._stable_above = np.where(
                close, np.where(shared, np.minimum(stable_above, np.log(HEAD)), stable_above), self._stable_above
            )
            self._below = np.where(close, below, self._below)
            self._pinned = np.where(close, np.minimum(pinned, most), self._pinned)
            self._pinned_blocks = np.where(close, pinned_blocks, self._pinned_blocks)
            self._blocks = np.where(close, blocks, self._blocks)
            self._stretch = np.where(close, left, self._stretch)
            self._was_shared = np.where(close, shared, self._was_shared)
            apart = np.where(close & forgotten, 0.0, apart)
            since = np.where(close & forgotten, np.nan, since)
            met = close & (self._candidate[TOTAL] > 0)
            for index, row in enumerate(self._row):
                add_spread(self._apart_fixed[:, index], self._stable_pods, row, met)
        self._apart, self._over_since = apart, since
        return verdicts, evidence, speaks

    def _tables(self, candidate: Array, stable: Array) -> Array:
        """For each guard with a fixed maximum the candidate's requests and events, and stable's."""
        row, every = self._row, np.zeros_like(self._row)
        return np.stack((candidate[every], candidate[row], stable[every], stable[row]))

    def _weighed(
        self,
        log_s: Array,
        events: Array,
        total: Array,
        odds: tuple[float, ...],
        log_w: Array,
        effect: tuple[Array, Array] | None = None,
    ) -> Array:
        ratios = [
            [
                absolute.log_likelihood_ratio(events[index], total[index], guard.maximum, times)
                for index, guard in enumerate(self.fixed)
            ]
            for times in odds
        ]
        log_ratios = np.array(ratios).reshape(log_s.shape)
        return weighed(log_s, log_ratios if effect is None else tempered(log_ratios, *effect), log_w)

    def _with_pins(self, log_above: Array, effect: tuple[Array, Array]) -> tuple[Array, Array, Array]:
        """The evidence of pinned requests, its number of blocks, and the e-value of both together."""
        alone = np.exp(np.minimum(log_above, LARGEST_LOG))
        some = self._pins[TOTAL] > 0
        if not some.any() and not self._pinned_blocks.any():
            return self._pinned, self._pinned_blocks, alone
        table, log_w = self._tables(self._pins, self._pins), np.log(weight(self._pinned_blocks + 1))
        pinned = self._weighed(self._pinned, table[1], table[0], absolute.ABOVE, log_w, effect)
        pinned = np.where(some, pinned, self._pinned)
        blocks = self._pinned_blocks + some
        beside = np.exp(np.minimum(log_e_value(pinned, blocks), LARGEST_LOG))
        most = 2 / (WITNESS * self._alpha) - 1
        return pinned, blocks, np.where(blocks > 0, alone * (1 + np.minimum(beside, most)) / 2, alone)

    def _attributed(self, stamp: Array, rate: Array, failing: Array, stable: Array, over: Array) -> tuple[Array, Array]:
        """What tells stable from the candidate, and since when the evidence is complete. See `blame.Attribution`."""
        rate = np.minimum(rate, HIGHEST)
        told = failing & (rate > self._maximum)
        apart = self._apart
        if told.any():
            total, events = stable[TOTAL], stable[self._row]
            each = [
                told_apart(events[index], total, guard.maximum, np.where(told[index], rate[index], HIGHEST))
                for index, guard in enumerate(self.fixed)
            ]
            apart = apart + np.where(told, np.stack(each), 0.0)
        return apart, np.where(over, np.where(np.isnan(self._over_since), stamp, self._over_since), np.nan)

    def _compare(self, close: Array) -> Array:
        """Weigh blocks that end here and may be compared; the e-values. See `judge.weigh_relative`."""
        if not self._routed:
            close = np.zeros_like(close)
        for index, guard in enumerate(self.compared):
            row = row_of(guard)
            n_c, n_s = (
                each[TOTAL] + (each[REJECTED] if row == REJECTED else 0) for each in (self._candidate, self._stable)
            )
            x, events = self._candidate[row], self._candidate[row] + self._stable[row]
            told = close & (n_c > 0) & (n_s > 0)
            ratios = np.zeros((len(relative.ALTERNATIVES), len(told)))
            says = told & (np.minimum(events, n_c) != np.maximum(0, events - n_s))
            if says.any():
                found = relative.log_ratios(x[says], n_c[says], n_s[says], events[says], guard.psi0)
                effect = effect_of(self._apart_compared[:, index, says])
                ratios[:, says] = tempered(np.stack(list(found)), effect, self._within([row])[0, says])
            log_w = np.log(weight(self._worse_blocks[index] + 1))
            self._worse[:, index] = np.where(told, weighed(self._worse[:, index], ratios, log_w), self._worse[:, index])
            self._worse_blocks[index] += told
            add_spread(self._apart_compared[:, index], self._stable_pods, row, told)
        evidence: Array = np.exp(np.minimum(log_e_value(self._worse, self._worse_blocks), LARGEST_LOG))
        return evidence

    def _tell_alone(self, pods: Array, alone: Array) -> None:
        """Take in how far stable's pods lie apart while they answer all requests."""
        for index, row in enumerate(self._row):
            add_spread(self._apart_fixed[:, index], pods, row, alone)
        for index, guard in enumerate(self.compared):
            add_spread(self._apart_compared[:, index], pods, row_of(guard), alone)

    def _within(self, rows: Sequence[int] | Array) -> Array:
        """For some rows the design effect that the candidate's pods show in the open block alone."""
        apart = np.zeros((2, len(rows), self._since.size))
        for index, row in enumerate(rows):
            add_spread(apart[:, index], self._candidate_pods, row, np.ones(self._since.size, dtype=bool))
        effects: Array = np.maximum(1.0, own_effect(apart[0], apart[1]))
        return effects
