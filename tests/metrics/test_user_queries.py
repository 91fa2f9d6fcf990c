"""Users' own queries: one number, seen through an endpoint that enforces a namespace."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from tests.metrics.server import Server

from viridian.metrics.connection import Connection, MetricsError
from viridian.metrics.user_queries import UserQueries

SAMPLE = {"metric": {}, "value": [1700000000.5, "0.25"]}


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def queries(server: Server) -> Iterator[UserQueries]:
    with server.running() as url:
        yield UserQueries(Connection(url, "prometheus.userQueries.url", timedelta(seconds=60)))


async def test_a_query_carries_the_namespace_that_it_may_see(server: Server, queries: UserQueries) -> None:
    server.answers("vector", [SAMPLE])
    assert await queries.ask("team-a", 'max(up{namespace="team-b"})') == 0.25
    [asked] = server.asked
    assert (asked["query"], asked["namespace"]) == (['max(up{namespace="team-b"})'], ["team-a"])
    # and the query is in the body; the namespace in the URL, where every proxy looks for it
    assert server.targets == ["/api/v1/query?namespace=team-a"]


@pytest.mark.parametrize(
    ("kind", "result", "number"),
    [
        ("vector", [SAMPLE], 0.25),
        ("vector", [{"metric": {"a": "b"}, "value": [1, "-3e5"]}], -300000.0),
        ("scalar", [1700000000, "7"], 7.0),
    ],
)
async def test_one_sample_is_a_number(
    server: Server, queries: UserQueries, kind: str, result: Any, number: float
) -> None:
    server.answers(kind, result)
    assert await queries.ask("default", "x") == number


@pytest.mark.parametrize(
    ("kind", "result", "says"),
    [
        ("vector", [], r"no sample.*or vector\(0\)"),
        ("vector", [SAMPLE, SAMPLE], r"2 samples, not one: aggregate them"),
        ("vector", [{"metric": {}, "value": [1, "NaN"]}], "the sample is NaN"),
        ("vector", [{"metric": {}, "value": [1, "+Inf"]}], r"the sample is \+Inf"),
        ("vector", [{"metric": {}, "value": [1, "many"]}], "'many' is no number"),
        ("matrix", [{"metric": {}, "values": [[1, "2"]]}], "a range of samples"),
        ("string", [1, "text"], "'text' is no number"),
        ("vector", [{"metric": {}, "histogram": [1, {"count": "2"}]}], "not a number"),
    ],
)
async def test_anything_else_is_inconclusive_and_says_why(
    server: Server, queries: UserQueries, kind: str, result: Any, says: str
) -> None:
    server.answers(kind, result)
    with pytest.raises(MetricsError, match=says):
        await queries.ask("default", "x")


async def test_an_answer_in_part_is_inconclusive(server: Server, queries: UserQueries) -> None:
    server.answers("vector", [SAMPLE], warnings=["store eu-1 did not answer"])
    with pytest.raises(MetricsError, match="partial answer: store eu-1"):
        await queries.ask("default", "x")


async def test_a_query_that_cannot_be_parsed_is_the_users_to_correct(server: Server, queries: UserQueries) -> None:
    server.status, server.body = 400, b'{"status":"error","errorType":"bad_data","error":"1:4: parse error"}'
    with pytest.raises(MetricsError, match=r"refused the query \(400: 1:4: parse error\): correct it"):
        await queries.ask("default", "sum(")


async def test_an_endpoint_that_is_not_there_is_named_by_its_chart_value(server: Server, queries: UserQueries) -> None:
    server.status, server.content_type, server.body = 404, "text/plain", b"not found"
    with pytest.raises(MetricsError, match=r"operator's prometheus\.userQueries\.url is right"):
        await queries.ask("default", "x")
