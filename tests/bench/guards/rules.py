"""The rules: ours, run by the code that the operator runs, and those that others use."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np
from scipy.stats import fisher_exact, mannwhitneyu
from tests.bench.guards.traffic import PODS, SCRAPE, WEIGHT, Traffic

from viridian.guards import Config, PodCounters, RequestCounts, Rollout, Snapshot, State, Verdict, Window, advance

PER_MINUTE = int(60 / SCRAPE)
Seen = tuple[int, int, int, int]
"""Requests and failures so far, of the candidate and of stable."""

WINDOW = 5
"""Minutes that a threshold looks back over."""


class Rule(Protocol):
    """Looks at traffic scrape by scrape; True rolls the candidate back."""

    def __call__(self, traffic: Traffic) -> bool:
        """Look once."""
        ...


class Viridian:
    """Our guards at their defaults: the maximum of 10 %, and 1.5 times stable's odds."""

    def __init__(self) -> None:
        """Start without evidence."""
        self._config = Config(error_rate_max=0.10, worse_than_stable=1.5)
        self._state = State()
        self._rollout = Rollout("c", "s", round(100 * WEIGHT), -1000.0)
        self._window: Window | None = None

    def __call__(self, traffic: Traffic) -> bool:
        """Advance by the counters as pods publish them: of one moment, pinned requests apart."""
        stamp = round(traffic.minute * 60 / SCRAPE) * SCRAPE
        pods: dict[str, dict[str, PodCounters]] = {"c": {}, "s": {}}
        for index, (requests, failures) in enumerate(zip(traffic.requests, traffic.failures, strict=True)):
            pinned = RequestCounts(traffic.pinned, traffic.pinned) if index == 0 else RequestCounts()
            counters = PodCounters(stamp, RequestCounts(int(requests), int(failures)), pinned)
            pods["c" if index < PODS[0] else "s"][f"pod-{index}"] = counters
        self._state, self._window, judgements = advance(
            self._config, self._state, self._window, Snapshot(stamp, pods), self._rollout
        )
        return any(judgement.verdict is Verdict.BREACH for judgement in judgements)


class ByMinute:
    """A rule that is evaluated every minute on all of the candidate's requests, whoever sent them.

    Counters are read as they stand when each pod is scraped: stable's are half an interval older.
    """

    def __init__(self, breaches: Callable[[list[Seen]], bool], keep: int) -> None:
        """Evaluate `breaches` on the cumulative counts of the last `keep` minutes."""
        self._breaches, self._minutes = breaches, deque[Seen]([(0, 0, 0, 0)], keep + 1)
        self._steps, self._late = 0, (0, 0)

    def __call__(self, traffic: Traffic) -> bool:
        """Look; only every fourth scrape ends a minute."""
        n_c, x_c, n_s, x_s = traffic.sides
        old_n, old_x = self._late
        self._late, self._steps = (n_s, x_s), self._steps + 1
        if self._steps % PER_MINUTE:
            return False
        seen = (n_c + traffic.pinned, x_c + traffic.pinned, (n_s + old_n) // 2, (x_s + old_x) // 2)
        self._minutes.append(seen)
        return self._breaches(list(self._minutes))


def _last(minutes: list[Seen]) -> tuple[int, int, int, int]:
    a, b, c, d = np.subtract(minutes[-1], minutes[0])
    return int(a), int(b), int(c), int(d)


def twice_stable(minutes: list[Seen]) -> bool:
    """Whether the candidate's error rate over five minutes is more than twice stable's."""
    n_c, x_c, n_s, x_s = _last(minutes)
    return n_c > 0 and n_s > 0 and x_c / n_c > 2 * x_s / n_s


def five_percent(minutes: list[Seen]) -> bool:
    """Whether it is more than 5 %."""
    n_c, x_c, _, _ = _last(minutes)
    return n_c > 0 and x_c / n_c > 0.05


def fisher(minutes: list[Seen]) -> bool:
    """Whether Fisher's exact test on all requests so far is significant at 1 %."""
    n_c, x_c, n_s, x_s = minutes[-1]
    return bool(fisher_exact([[x_c, n_c - x_c], [x_s, n_s - x_s]], alternative="greater").pvalue < 0.01)


def mann_whitney(minutes: list[Seen]) -> bool:
    """Whether the candidate's error rates by minute of the last hour are higher, at the 98 % that Kayenta uses."""
    each = np.diff(np.array(minutes), axis=0)
    each = each[(each[:, 0] > 0) & (each[:, 2] > 0)]
    if len(each) < WINDOW:
        return False
    rates = each[:, 1] / each[:, 0], each[:, 3] / each[:, 2]
    return bool(mannwhitneyu(*rates, alternative="greater").pvalue < 0.02)


RULES: dict[str, Callable[[], Rule]] = {
    "viridian": Viridian,
    "twice stable over 5m": lambda: ByMinute(twice_stable, WINDOW),
    "5 % over 5m": lambda: ByMinute(five_percent, WINDOW),
    "Fisher every minute": lambda: ByMinute(fisher, 1),
    "Mann-Whitney by minute": lambda: ByMinute(mann_whitney, 60),
}
