"""One Prometheus-like HTTP API, asked through `prometheus-api-client` in threads of its own."""

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from urllib3.util.retry import Retry

from viridian.api.errors import ViridianError

_NO_ANSWER = (ValueError, KeyError, TypeError)
"""What reading JSON raises that is not an answer of Prometheus, such as a login page's."""

_REFUSED = frozenset({400, 422})
"""Statuses by which Prometheus says that a query cannot be parsed or carried out."""


class MetricsError(ViridianError):
    """Prometheus did not answer, or its answer cannot be used; the message says why and what to do."""


class _Kept(threading.local):
    """What an answer holds beside its result, kept for the thread that asked."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.refusal = ""


class Connection:
    """Asks instant queries. Its threads are its own, so that nothing else waits for a Prometheus that hangs."""

    def __init__(self, url: str, setting: str, timeout: timedelta, threads: int) -> None:
        """Prepare; nothing is sent yet.

        Args:
            url: root of the HTTP API.
            setting: the chart value that holds it, for messages.
            timeout: how long one query may take.
            threads: queries at the same time.
        """
        self._setting, self._timeout = setting, timeout.total_seconds()
        self._kept = _Kept()
        session = requests.Session()
        session.hooks["response"].append(self._keep)
        self._api = PrometheusConnect(
            url=url, session=session, retry=Retry(total=0), timeout=self._timeout, method="POST"
        )
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=setting)
        self._turns = asyncio.Semaphore(threads)

    async def ask(self, query: str, params: Mapping[str, str]) -> list[Any]:
        """The `result` of an answer.

        Args:
            query: PromQL.
            params: further parameters of the request.

        Raises:
            MetricsError: no answer, or only part of one.
        """
        try:
            async with self._turns, asyncio.timeout(self._timeout + 1):
                running = asyncio.get_running_loop()
                result, warnings, refusal = await running.run_in_executor(self._threads, self._ask, query, params)
        except (requests.RequestException, PrometheusApiClientException, TimeoutError, *_NO_ANSWER) as error:
            raise MetricsError(
                f"Prometheus did not answer ({error or type(error).__name__}): check that it runs and that the"
                f" operator's {self._setting} is right"
            ) from error
        if refusal:
            raise MetricsError(
                f"Prometheus refused the query ({refusal}): correct it where it is yours, or raise the"
                " limits of Prometheus"
            )
        if warnings:
            raise MetricsError(f"Prometheus answered only in part: {'; '.join(warnings)}")
        return result

    def _ask(self, query: str, params: Mapping[str, str]) -> tuple[list[Any], list[str], str]:
        """In a thread: the result, the warnings, and the reason of a refusal."""
        self._kept.warnings, self._kept.refusal = [], ""
        try:
            result = list(self._api.custom_query(query, params=dict(params)))
        except PrometheusApiClientException:
            if not self._kept.refusal:
                raise
            result = []
        return result, self._kept.warnings, self._kept.refusal

    def _keep(self, response: requests.Response, *_: object, **__: object) -> None:
        """The client library drops warnings, and an answer with warnings is one that lacks data."""
        if not response.headers.get("Content-Type", "").startswith("application/json"):
            return
        if response.ok:
            answer = response.json()
            if not isinstance(answer, dict):
                raise ValueError("the answer is no JSON object")
            self._kept.warnings.extend(answer.get("warnings") or [])
        elif response.status_code in _REFUSED:
            answer = response.json()
            self._kept.refusal = str(answer.get("error") or "") if isinstance(answer, dict) else ""
