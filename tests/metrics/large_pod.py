"""A Prometheus that has the counters of honest models, and of one whose pod has a great many series."""

import json
from functools import cache

from tests.metrics.answers import requests
from tests.metrics.server import Server
from tests.metrics.test_query import LABEL

HONEST = [f"honest-{number:02}" for number in range(50)]
CULPRIT, SERIES = "culprit", 200_000
SCRAPES = 6
MOST_MEMORY = 256
"""MiB: half of what the chart's default limit lets the operator have."""


@cache
def many(number: int) -> bytes:
    """So many series of the culprit's pod, each with its own label."""
    one = json.dumps(requests("@", "ok", *range(1, SCRAPES + 1), model=CULPRIT), separators=(",", ":"))
    before, after = one.encode().split(b'"@"')
    return b",".join(b'%s"client-%06d"%s' % (before, index, after) for index in range(number))


class LargePod(Server):
    """The server.

    Attributes:
        counts: Whether it answers how many series a model has.
    """

    def __init__(self, *, counts: bool) -> None:
        super().__init__()
        self.counts = counts

    def honest(self, model: str) -> bytes:
        """The series of an honest model, as JSON without the brackets of the list."""
        raise NotImplementedError

    def most(self) -> int:
        """How many series of the culprit an answer has."""
        return SERIES

    def reply(self, query: str) -> tuple[int, bytes]:
        models = dict(LABEL.findall(query))["model"].split("|")
        if query.startswith("count by (model_namespace, model) ("):
            labels = {"model_namespace": "default", "model": CULPRIT}
            large = [{"metric": labels, "value": [100, str(SERIES)]}] if CULPRIT in models and self.counts else []
            return 200, json.dumps({"data": {"resultType": "vector", "result": large}}).encode()
        pages = [self.honest(name) for name in models if name in HONEST]
        if CULPRIT in models:
            pages.append(many(self.most()))
        return 200, b'{"status":"success","data":{"resultType":"matrix","result":[%s]}}' % b",".join(pages)
