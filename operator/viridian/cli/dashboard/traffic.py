"""Requests, errors and latency by revision, from Prometheus, for the page's lines."""

import asyncio
import math
from datetime import datetime, timedelta
from typing import Any, Final

import aiohttp

from viridian.api.errors import ViridianError
from viridian.cli.model import Json
from viridian_shared.counts.metric_names import DURATIONS, REQUESTS

_POINTS: Final = 240
_SHORTEST_STEP: Final = timedelta(seconds=5)
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
_QUERIES: Final = {
    "requests": "sum by (revision) (rate({requests}{{{model}}}[{window}]))",
    "errors": "100 * sum by (revision) (rate({requests}{{{model},outcome='error'}}[{window}]))"
    " / sum by (revision) (rate({requests}{{{model},outcome=~'ok|error'}}[{window}]))",
    "p95": "1000 * histogram_quantile(0.95, sum by (revision, le) (rate({seconds}_bucket{{{model}}}[{window}])))",
}
"""Requests a second; errors in percent of those that are no rejections; the 95th percentile in milliseconds."""


class NoTraffic(ViridianError):
    """Prometheus does not answer, or refuses the query."""


class Prometheus:
    """A Prometheus at a URL."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    async def lines(self, namespace: str, name: str, since: datetime, until: datetime) -> Json:
        """Return `requests`, `errors` and `p95`, each by revision as lists of [seconds since 1970, value].

        Raises:
            NoTraffic: with what Prometheus said, and what to do.
        """
        step = max((until - since) / _POINTS, _SHORTEST_STEP).total_seconds()
        values = {
            "requests": REQUESTS,
            "seconds": DURATIONS,
            "model": f"model_namespace='{namespace}',model='{name}',via!~'check|mirror'",
            "window": f"{max(60, math.ceil(4 * step))}s",
        }
        span = {"start": str(since.timestamp()), "end": str(until.timestamp()), "step": str(step)}
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            found = await asyncio.gather(
                *(self._line(session, {"query": query.format(**values), **span}) for query in _QUERIES.values())
            )
        return dict(zip(_QUERIES, found, strict=True))

    async def _line(self, session: aiohttp.ClientSession, parameters: dict[str, str]) -> Json:
        way_out = "check the URL of --prometheus, and that a port-forward to it still runs"
        try:
            async with session.get(f"{self.url}/api/v1/query_range", params=parameters) as answer:
                data: Any = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise NoTraffic(f"Prometheus does not answer ({type(error).__name__}): {way_out}") from error
        if not isinstance(data, dict) or data.get("status") != "success":
            said = data.get("error", "") if isinstance(data, dict) else ""
            raise NoTraffic(f"Prometheus refused the query: {said or 'its answer is no JSON of its API'}; {way_out}")
        return {
            line["metric"].get("revision", ""): [
                [float(at), float(value)] for at, value in line["values"] if math.isfinite(float(value))
            ]
            for line in data["data"]["result"]
        }
