"""What became of mirrored requests, as stable's pods publish it: of the present candidate alone, so series stay few."""

import math
from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, Metric

from viridian_serving.metrics.histograms import Histogram
from viridian_serving.telemetry.model_metrics import rendered
from viridian_shared.counts.metric_names import SHADOW, SHADOW_DIFFERENCES, SHADOW_DURATIONS
from viridian_shared.counts.mirrored import Mirrored

DIFFERENCES = (0.0, 0.0001, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Bounds of distances."""


class ShadowCounts:
    """Counts since the first request that was mirrored to a candidate; another candidate begins anew."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """Know of no candidate.

        Args:
            bounds: Of the durations' buckets, in seconds.
        """
        self._bounds = tuple(bounds)
        self.candidate = ""
        self.begin("")

    def begin(self, candidate: str) -> None:
        """Count for a candidate from now on, by its revision."""
        self.candidate = candidate
        self.results = dict.fromkeys(Mirrored, 0)
        self._differences = Histogram(DIFFERENCES)
        self._durations = {role: Histogram(self._bounds) for role in ("stable", "candidate")}

    def count(self, candidate: str, result: Mirrored) -> None:
        """Count one mirrored request, unless it was another candidate's."""
        if candidate == self.candidate:
            self.results[result] += 1

    def compare(self, candidate: str, distance: float | None, stable: float, other: float) -> None:
        """Record a pair of answers.

        Args:
            candidate: Whose.
            distance: Between their numbers; None where there are none.
            stable: Seconds that stable took.
            other: Seconds that the candidate took.
        """
        if candidate != self.candidate:
            return
        if distance is not None and math.isfinite(distance):
            self._differences.observe(distance)
        self._durations["stable"].observe(stable)
        self._durations["candidate"].observe(other)

    def families(self, names: Sequence[str], identity: Sequence[str]) -> Iterator[Metric]:
        """Render them; nothing before the first candidate.

        Args:
            names: The labels that every series has.
            identity: Their values.
        """
        if not self.candidate:
            return
        named, values = (*names, "candidate"), (*identity, self.candidate)
        results = CounterMetricFamily(SHADOW, "Mirrored requests", labels=(*named, "result"))
        for result, number in self.results.items():
            results.add_metric((*values, result.value), number)
        yield results
        text = "Largest distance between the numbers of both answers to a mirrored request"
        yield rendered(SHADOW_DIFFERENCES, text, named, {values: self._differences})
        durations = {(*values, role): histogram for role, histogram in self._durations.items()}
        yield rendered(SHADOW_DURATIONS, "Time of mirrored requests", (*named, "role"), durations)
