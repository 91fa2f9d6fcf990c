"""What Prometheus knows of the two colors."""

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import aiohttp

from .errors import DemoError
from .report import ErrorCounts

ANSWER_TIMEOUT = aiohttp.ClientTimeout(total=5)
RATE_WINDOW = "15s"
"""Several scrapes long, and short enough to see a step."""


@dataclass(frozen=True)
class Traffic:
    """What one revision answered, of the requests that the route shared out."""

    requests: int
    errors: int
    p95: float | None
    """In seconds, over the last moments; None without requests."""


class Prometheus:
    """Asks one Prometheus about one model."""

    def __init__(self, url: str, namespace: str, model: str) -> None:
        self._url = url
        self._labels = f'model_namespace="{namespace}",model="{model}",via="split"'
        self._session = aiohttp.ClientSession(timeout=ANSWER_TIMEOUT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def traffic(self) -> dict[str, Traffic]:
        """Requests, errors and latency of every revision that has pods."""
        counts = await self._query(f"sum by (revision, outcome) (viridian_requests_total{{{self._labels}}})")
        latencies = await self._query(
            "histogram_quantile(0.95, sum by (revision, le)"
            f" (rate(viridian_request_duration_seconds_bucket{{{self._labels}}}[{RATE_WINDOW}])))"
        )
        return read_traffic(counts, latencies)

    async def error_counts(self, revision: str) -> ErrorCounts:
        """When a revision's pods were scraped, and until when they had no error."""
        return read_error_counts(
            await self._query(f'viridian_requests_total{{{self._labels},revision="{revision}",outcome="error"}}[10m]')
        )

    async def _query(self, expression: str) -> list[Any]:
        try:
            async with self._session.get(f"{self._url}/api/v1/query", params={"query": expression}) as response:
                answer = json.loads(await response.text())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise DemoError(
                f"Prometheus does not answer at {self._url} ({error or type(error).__name__}): does its pod run?"
            ) from error
        if answer.get("status") != "success":
            raise DemoError(f"Prometheus refused the query {expression}: {answer.get('error', answer)}")
        result: list[Any] = answer["data"]["result"]
        return result


def read_traffic(counts: list[Mapping[str, Any]], latencies: list[Mapping[str, Any]]) -> dict[str, Traffic]:
    """Put the answers to both questions together, by revision."""
    requests: defaultdict[str, int] = defaultdict(int)
    errors: defaultdict[str, int] = defaultdict(int)
    for series in counts:
        labels, number = series["metric"], int(float(series["value"][1]))
        requests[labels["revision"]] += number
        if labels["outcome"] == "error":
            errors[labels["revision"]] += number
    p95 = {series["metric"]["revision"]: float(series["value"][1]) for series in latencies}
    # Without requests in the window, the quantile is not a number.
    known = {revision: value for revision, value in p95.items() if not math.isnan(value)}
    return {revision: Traffic(requests[revision], errors[revision], known.get(revision)) for revision in requests}


def read_error_counts(series_of_pods: list[Mapping[str, Any]]) -> ErrorCounts:
    """Find the scrapes around the first error in the raw samples of each pod."""
    scrapes: set[float] = set()
    before_first_error = []
    for series in series_of_pods:
        samples = [(float(at), float(value)) for at, value in series["values"]]
        scrapes.update(at for at, _ in samples)
        clean = [at for at, value in samples if value == 0]
        if clean and len(clean) < len(samples):
            before_first_error.append(clean[-1])
    return ErrorCounts(tuple(sorted(scrapes)), min(before_first_error, default=None))
