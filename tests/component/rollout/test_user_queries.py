"""Users' own queries, and the guards' counters, through the real Prometheus."""

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.component.harness.prometheus import LabelProxy, Prometheus
from tests.waiting import DEADLINE, eventually

from viridian.guards.queries import QueryGuard
from viridian.metrics.connection import Connection, MetricsError
from viridian.metrics.user_queries import UserQueries

FAILED, ALL = (f'sum(viridian_requests_total{{revision="$revision"{more}}})' for more in (',outcome="error"', ""))
SHARE = f"{FAILED} / {ALL}"


@pytest.fixture
def counted(prometheus: Prometheus) -> Prometheus:
    """A candidate that failed 3 of 12 requests, and a stable that failed none."""
    for revision, errors in (("iris-1", 0), ("iris-2", 3)):
        pod = prometheus.target.pod("default", "iris", revision, f"uid-of-{revision}")
        pod.count(12 - errors)
        pod.count(errors, outcome="error")
    prometheus.wait_for_scrape()
    return prometheus


def ask(url: str, query: str, namespace: str = "default") -> float | str:
    """The number, or why there is none."""

    async def asked() -> float:
        queries = UserQueries(Connection(url, timeout=timedelta(seconds=DEADLINE)))
        return await queries.ask(namespace, QueryGuard("x", query, 0.1).expression("iris-2", "iris-1"))

    try:
        return asyncio.run(asked())
    except MetricsError as error:
        return str(error)


def answers(url: str, query: str, wanted: float | str, namespace: str = "default") -> None:
    """Wait for a number, or for a sentence that matches: after a scrape that took too long, nothing is there."""

    def look() -> bool:
        answer = ask(url, query, namespace)
        same = re.search(wanted, str(answer)) if isinstance(wanted, str) else answer == wanted
        assert same, f"the answer is {answer}"
        return True

    eventually(look, f"the answer {wanted}")


@pytest.mark.parametrize(
    ("query", "number"),
    [
        (SHARE, 0.25),
        (SHARE.replace("$revision", "$stable"), 0.0),
        ('sum(viridian_requests_total{revision="nobody"}) or vector(0)', 0.0),
        ("scalar(vector(7))", 7.0),
    ],
)
def test_one_sample_answers(counted: Prometheus, query: str, number: float) -> None:
    answers(counted.url, query, number)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ('sum(viridian_requests_total{revision="nobody"})', "no sample"),
        ("sum by (revision) (viridian_requests_total)", "2 samples"),
        ("viridian_requests_total[1m]", "a range of samples"),
        ("vector(0) / vector(0)", "the sample is NaN"),
        ("sum(", "refused the query .*parse error"),
        ('"text"', "is no number"),
    ],
)
def test_anything_else_is_inconclusive(counted: Prometheus, query: str, says: str) -> None:
    answers(counted.url, query, says)


@pytest.fixture
def two_namespaces(counted: Prometheus, tmp_path: Path) -> Iterator[LabelProxy]:
    """The same revision of the same model in another namespace, where 6 of 8 requests failed; before it, the proxy."""
    pod = counted.target.pod("other", "iris", "iris-2", "uid-in-other")
    pod.count(2)
    pod.count(6, outcome="error")
    counted.wait_for_scrape()
    with LabelProxy(tmp_path, counted.url) as proxy:
        yield proxy


def test_a_user_sees_no_series_but_those_of_the_model_s_namespace(two_namespaces: LabelProxy) -> None:
    answers(two_namespaces.url, SHARE, 0.25)
    answers(two_namespaces.url, SHARE, 0.75, "other")
    answers(two_namespaces.url, SHARE, "no sample", "third")
    # and no query can name another one
    for selector in ('namespace="other"', 'namespace=~".*"', 'namespace!="default"'):
        answers(two_namespaces.url, SHARE.replace("revision=", f"{selector},revision="), 0.25)
    # nor does the proxy hide what is wrong with it
    answers(two_namespaces.url, "sum(", "refused the query .*parse error")
