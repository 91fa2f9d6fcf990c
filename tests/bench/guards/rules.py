"""The rules: ours, and those that others use. Each looks at many rollouts at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import cache
from itertools import combinations
from typing import Protocol

import numpy as np
from scipy.stats import norm, rankdata
from tests.bench.guards.traffic import PODS, SCRAPE, STARTUP, Numbers, Traffic

from viridian.cli.forecast.guard_batch import GuardBatch
from viridian.cli.forecast.tables import ERRORS, SLOW, TOTAL, Array, Requests
from viridian.cli.forecast.tables import REJECTED as REJECTED_ROW
from viridian.guards import Config, LatencyGuard
from viridian.guards.elementwise import log_factorial

PER_MINUTE = int(60 / SCRAPE)

WINDOW = 5
"""Minutes that a threshold looks back over."""

DEFAULTS = Config(error_rate_max=0.10, worse_than_stable=1.5)
ON_LATENCY = Config(latencies=(LatencyGuard(95, 0.2),))
ON_REJECTED = Config(rejected=1.5)


class Rule(Protocol):
    """Looks at traffic scrape by scrape; True rolls a candidate back."""

    def __call__(self, traffic: Traffic) -> Array:
        """Look once: for each rollout whether it is to be rolled back now."""
        ...


class Viridian:
    """Our guards at their defaults, the maximum of 10 % and 1.5 times stable's odds; or others of ours."""

    def __init__(self, rollouts: int, config: Config = DEFAULTS, row: int = ERRORS) -> None:
        """Start without evidence.

        Args:
            rollouts: How many to look at.
            config: The guards.
            row: What a failure is: an error, a slow answer, or a rejected request.
        """
        self._row = row
        self._guards = GuardBatch(config, rollouts, pods=PODS[0])
        rows = np.zeros((self._guards.rows, rollouts))
        self._guards.look(
            np.full(rollouts, -60 * STARTUP), Requests(rows, rows), np.zeros(rollouts), np.zeros(rollouts)
        )

    def __call__(self, traffic: Traffic) -> Array:
        """Advance by the counters as pods publish them: of one moment, pinned requests apart."""
        rows = np.zeros((sum(PODS), self._guards.rows, traffic.rollouts))
        # Rejected requests are in no other number.
        rows[:, TOTAL] = traffic.requests - (traffic.failures if self._row == REJECTED_ROW else 0)
        rows[:, self._row] = traffic.failures
        pins = None
        if traffic.pinned.any():
            pins = np.zeros_like(rows[0])
            pins[[TOTAL, ERRORS]] = traffic.pinned
        candidate, stable = rows[: PODS[0]], rows[PODS[0] :]
        new = Requests(
            candidate.sum(axis=0), stable.sum(axis=0), pinned=pins, stable_pods=stable, candidate_pods=candidate
        )
        return self._guards.look(
            np.full(traffic.rollouts, 60 * traffic.minute),
            new,
            np.full(traffic.rollouts, traffic.weight),
            np.zeros(traffic.rollouts),
        ).breach


class ByMinute:
    """A rule that is evaluated every minute on all of the candidate's requests, whoever sent them.

    Counters are read as they stand when each pod is scraped: stable's are half an interval older.
    """

    def __init__(self, breaches: Callable[[Numbers], Array], keep: int, rollouts: int) -> None:
        """Evaluate `breaches` on the cumulative counts of the last `keep` minutes.

        Its argument has the axes minute; requests and failures so far, of the candidate and of stable; rollout.
        """
        self._breaches = breaches
        self._counted = np.zeros((4, rollouts))
        self._minutes = deque([self._counted], keep + 1)
        self._steps = 0

    def __call__(self, traffic: Traffic) -> Array:
        """Look; only every fourth scrape ends a minute."""
        new = traffic.sides
        self._counted = self._counted + new
        self._counted[:2] += traffic.pinned
        self._steps += 1
        if self._steps % PER_MINUTE:
            return np.zeros(traffic.rollouts, dtype=bool)
        seen = self._counted.copy()
        seen[2:] -= np.ceil(new[2:] / 2)
        self._minutes.append(seen)
        return self._breaches(np.stack(self._minutes))


def twice_stable(minutes: Numbers) -> Array:
    """Whether the candidate's error rate over five minutes is more than twice stable's."""
    n_c, x_c, n_s, x_s = minutes[-1] - minutes[0]
    return (n_c > 0) & (n_s > 0) & (x_c * n_s > 2 * x_s * n_c)


def five_percent(minutes: Numbers) -> Array:
    """Whether it is more than 5 %."""
    n_c, x_c, _, _ = minutes[-1] - minutes[0]
    return x_c > 0.05 * n_c


def fisher(minutes: Numbers) -> Array:
    """Whether Fisher's exact test on all requests so far is significant at 1 %."""
    return fisher_p(*minutes[-1]) < 0.01


def fisher_p(n_c: Numbers, x_c: Numbers, n_s: Numbers, x_s: Numbers) -> Numbers:
    """Return the one-sided p-values; 1 where the candidate fails no more often than stable.

    Args:
        n_c: Requests of the candidate.
        x_c: Those that failed.
        n_s: Requests of stable.
        x_s: Those that failed.
    """
    worse = x_c * n_s > x_s * n_c
    p = np.ones(len(n_c))
    n, x, m, e = n_c[worse], x_c[worse], n_s[worse], (x_c + x_s)[worse]
    y = e - x
    log_first = sum(log_factorial(each) for each in (n, m, e, n + m - e)) - sum(
        log_factorial(each) for each in (x, n - x, y, m - y, n + m)
    )
    # The terms beyond x fall, because x is above its mean.
    term, total = np.ones(len(x)), np.ones(len(x))
    while term.max(initial=0.0) > 1e-12:
        term = term * ((n - x) * y / ((x + 1) * (m - y + 1)))
        total, x, y = total + term, x + 1, y - 1
    p[worse] = np.exp(log_first) * total
    return p


def mann_whitney(minutes: Numbers) -> Array:
    """Whether the candidate's error rates by minute of the last hour are higher, at the 98 % that Kayenta uses."""
    each = np.diff(minutes, axis=0)
    known = (each[:, 0] > 0) & (each[:, 2] > 0)
    if len(each) < WINDOW:
        return np.zeros(each.shape[-1], dtype=bool)
    rates = (np.where(known, each[:, at + 1] / np.maximum(each[:, at], 1), np.inf) for at in (0, 2))
    return (mann_whitney_p(*rates) < 0.02) & (known.sum(axis=0) >= WINDOW)


def mann_whitney_p(one: Numbers, other: Numbers) -> Numbers:
    """Return one-sided p-values, as `scipy.stats.mannwhitneyu` has them; its axis cannot leave out numbers.

    Args:
        one: Numbers by row, infinite where there are none, with a column for each test.
        other: Those that they are said to be higher than; as many.
    """
    n = np.isfinite(one).sum(axis=0)
    both = np.concatenate((one, other))
    ranks = rankdata(both, axis=0)  # what is infinite comes last, and changes no rank of the others
    u = np.where(np.isfinite(one), ranks[: len(one)], 0.0).sum(axis=0) - n * (n + 1) / 2
    ordered = np.sort(np.where(np.isfinite(both), ranks, -1.0), axis=0)
    ties = _ties(ordered)
    total = np.maximum(2 * n, 2)
    spread = np.sqrt(np.maximum(n * n / 12 * (total + 1 - ties / (total * (total - 1))), 1e-12))
    p = norm.sf((u - n * n / 2 - 0.5) / spread)
    for few in range(1, 9):  # few numbers without ties: exactly
        exact = (n == few) & (ties == 0)
        p[exact] = _tail(few)[u[exact].astype(int)]
    return np.where(n > 0, p, 1.0)


@cache
def _tail(n: int) -> Numbers:
    """For each U the chance of one at least as large, if all orders of n numbers and n others are equally likely."""
    ways = np.zeros(n * n + 1)
    for chosen in combinations(range(2 * n), n):
        ways[sum(chosen) - n * (n - 1) // 2] += 1
    return np.cumsum(ways[::-1])[::-1] / ways.sum()


def _ties(ordered: Numbers) -> Numbers:
    """The sum of t^3 - t over groups of t equal ranks in each column; ranks below 0 are none."""
    count, found = np.ones(ordered.shape[1]), np.zeros(ordered.shape[1])
    for before, now in zip(ordered, [*ordered[1:], np.full(ordered.shape[1], np.inf)], strict=True):
        same = (now == before) & (now >= 0)
        found += np.where(same, 0.0, count**3 - count)
        count = np.where(same, count + 1, 1.0)
    return found


LATENCY, REJECTED = "viridian latency", "viridian rejected"

RULES: dict[str, Callable[[int], Rule]] = {
    "viridian": Viridian,
    "twice stable over 5m": lambda rollouts: ByMinute(twice_stable, WINDOW, rollouts),
    "5 % over 5m": lambda rollouts: ByMinute(five_percent, WINDOW, rollouts),
    "Fisher every minute": lambda rollouts: ByMinute(fisher, 1, rollouts),
    "Mann-Whitney by minute": lambda rollouts: ByMinute(mann_whitney, 60, rollouts),
}
"""Our guard on errors, and the rules of others."""

RULES_OF_ALL: dict[str, Callable[[int], Rule]] = {
    **RULES,
    LATENCY: lambda rollouts: Viridian(rollouts, ON_LATENCY, SLOW),
    REJECTED: lambda rollouts: Viridian(rollouts, ON_REJECTED, REJECTED_ROW),
}
