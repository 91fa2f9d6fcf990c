"""Requests by client, where API keys name the clients."""

from collections import Counter
from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, Metric

from viridian_serving.inference.request_context import RequestContext
from viridian_shared.counts.via import USERLESS


class ClientCounts:
    """Counts since the process started. Names come from a Secret of bounded size, never from a request."""

    def __init__(self) -> None:
        """Start at zero."""
        self._counts: Counter[tuple[str, str]] = Counter()

    def observe(self, requests: Sequence[RequestContext]) -> None:
        """Count requests that are over, but for those without an authenticated client, and those of no user.

        A check has some client's key, and what is mirrored was counted where the client has sent it.
        """
        self._counts.update(
            (context.client, _class_of(context.status))
            for context in requests
            if context.client and context.via not in USERLESS
        )

    def keep(self, clients: Sequence[str]) -> None:
        """Forget the clients that have no key any more."""
        known = frozenset(clients)
        self._counts = Counter({key: number for key, number in self._counts.items() if key[0] in known})

    def families(self, names: Sequence[str], identity: Sequence[str]) -> Iterator[Metric]:
        """Render them.

        Args:
            names: The labels that every series has.
            identity: Their values.
        """
        family = CounterMetricFamily(
            "viridian_client_requests", "Inferences by client and class of status", labels=(*names, "client", "code")
        )
        for (client, code), number in sorted(self._counts.items()):
            family.add_metric((*identity, client, code), number)
        yield family


def _class_of(status: int) -> str:
    """Return such as 2xx; ``left`` for a client that did not wait for its answer."""
    return f"{status // 100}xx" if status else "left"
