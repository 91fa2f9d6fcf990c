"""Answers by what was asked and by status code."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final

from prometheus_client.core import CounterMetricFamily, Metric

_CODES: Final = (200, 304, 400, 401, 403, 404, 405, 408, 413, 429, 431, 500, 502, 503, 504)
_OTHER: Final = "other"


class Route(StrEnum):
    """What was asked of the ports for clients."""

    PREDICT = "predict"
    INFER = "infer"
    FEEDBACK = "feedback"
    OTHER = "other"
    NONE = "none"
    """Nothing that could be read to its end."""


class ResponseCounts:
    """Counts since the process started."""

    def __init__(self, refusals: Mapping[int, int]) -> None:
        """Start at zero.

        Args:
            refusals: Answers by status, to what never became a request; kept up to date by the server.
        """
        self._refusals = refusals
        self._counts = Counter({(route, code): 0 for route in Route for code in _CODES})

    def count(self, route: Route, status: int) -> None:
        """Count one answer."""
        self._counts[route, status] += 1

    def families(self, names: Sequence[str], identity: Sequence[str]) -> Iterator[Metric]:
        """Render them.

        Args:
            names: The labels that every series has.
            identity: Their values.
        """
        shown: Counter[tuple[str, str]] = Counter({(route.value, _OTHER): 0 for route in Route})
        refused = Counter({(Route.NONE, status): number for status, number in self._refusals.items()})
        for counts in (self._counts, refused):
            for (route, code), number in counts.items():
                shown[route.value, str(code) if code in _CODES else _OTHER] += number
        family = CounterMetricFamily(
            "viridian_responses", "Answers on the ports for clients", labels=(*names, "route", "code")
        )
        for (route_name, code_name), number in shown.items():
            family.add_metric((*identity, route_name, code_name), number)
        yield family
