"""The query that is sent, and what Prometheus may answer."""

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from tests.metrics.answers import IRIS, requests, stamps
from tests.metrics.server import Server

from viridian.guards.latency import GRID
from viridian.metrics.connection import MetricsError
from viridian.metrics.prometheus import BATCH, Prometheus, build_query

LABEL = re.compile(r"(\w+)=~`([^`]*)`")


def selects(query: str, **labels: str) -> bool:
    """Whether a selector takes a series; Prometheus holds patterns against the whole value of a label."""
    return all(re.fullmatch(pattern, labels.get(name, "")) for name, pattern in LABEL.findall(query))


@pytest.mark.parametrize(
    ("labels", "taken"),
    [
        ({"model": "iris"}, True),
        ({"model": "iris-v2"}, True),
        ({"model": "iris", "model_namespace": "team-a"}, True),
        ({"model": "irisx"}, False),
        ({"model": "xiris"}, False),
        ({"model": "iris", "model_namespace": "team"}, False),
        ({"__name__": "viridian_counters_stamp_seconds"}, True),
        ({"__name__": "viridian_request_duration_seconds_sum"}, False),
        ({"__name__": "http_requests_total"}, False),
        *(({"le": le}, True) for le in ("1", "1.0", "0.25", "+Inf")),
        *(({"le": le}, False) for le in ("0.5", "1.5", "10", "0x25", "Inf")),
    ],
    ids=str,
)
def test_which_series_a_query_takes(labels: dict[str, str], taken: bool) -> None:
    query = build_query([("default", "iris"), ("team-a", "iris-v2")], [0.25, 1.0], 2.0)
    series = {"__name__": "viridian_request_duration_seconds_bucket", "model_namespace": "default", "model": "iris"}
    assert selects(query, **{**series, **labels}) is taken


@pytest.mark.parametrize("bound", GRID)
def test_every_bound_is_found_however_it_is_written(bound: float) -> None:
    query = build_query([IRIS], [bound], 2.0)
    labels = {"__name__": "viridian_request_duration_seconds_bucket", "model_namespace": "default", "model": "iris"}
    for spelling in {f"{bound:g}", repr(float(bound)), json.dumps(bound)}:
        assert selects(query, **labels, le=spelling)
    assert not selects(query, **labels, le=f"{bound + 0.0001:g}")


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def prometheus(server: Server) -> Iterator[Prometheus]:
    with server.running() as url:
        yield Prometheus(url, timedelta(seconds=2), timeout=timedelta(seconds=0.3))


@pytest.mark.parametrize(
    ("interval", "back", "window"), [(1, 0, 6), (2, 0, 12), (15, 0, 90), (1.3, 0, 8), (0.5, 0, 3), (2, 15, 27)]
)
async def test_a_query_looks_back_over_a_few_scrapes(server: Server, interval: float, back: float, window: int) -> None:
    with server.running() as url:
        await Prometheus(url, timedelta(seconds=interval)).read([IRIS], [], back=back)
    assert server.asked[0]["query"][0].endswith(f"}}[{window}s]")


@pytest.mark.parametrize(("models", "queries"), [(0, 0), (1, 1), (BATCH, 1), (BATCH + 1, 2), (3 * BATCH, 3)])
async def test_a_batch_of_models_takes_one_query(
    server: Server, prometheus: Prometheus, models: int, queries: int
) -> None:
    # given so many models, each with its series, and each asked for twice
    keys = [("default", f"m-{number}") for number in range(models)]
    server.says(*(stamps(100, model=name, revision=f"{name}-1") for _, name in keys))

    # when they are read
    found = await prometheus.read([*keys, *keys], [0.2, 0.5])

    # then that took one query a batch, whatever the guards look at
    assert len(server.asked) == queries
    assert found.keys() == set(keys)
    asked = [name for one in server.asked for name in dict(LABEL.findall(one["query"][0]))["model"].split("|")]
    assert sorted(asked) == sorted(name for _, name in keys)


@pytest.mark.parametrize(("at", "time"), [(None, None), (1700000000.5, ["1700000000.500"])])
async def test_counters_can_be_read_as_of_a_moment(
    server: Server, prometheus: Prometheus, at: float | None, time: list[str] | None
) -> None:
    await prometheus.read([IRIS], [], at=at)
    assert server.asked[0].get("time") == time


async def test_an_answer_with_warnings_lacks_data(server: Server, prometheus: Prometheus) -> None:
    # given an answer that came with a warning, as from a federation with a part that is down
    server.says(stamps(100), requests("split", "ok", 5), warnings=["store eu-1 did not answer"])

    # when it is read, then it is not trusted
    with pytest.raises(MetricsError, match="only in part: store eu-1 did not answer"):
        await prometheus.read([IRIS], [])

    # and the next answer, without one, is
    server.says(stamps(100), requests("split", "ok", 5))
    assert (await prometheus.read([IRIS], [])).keys() == {IRIS}


@pytest.mark.parametrize(
    ("status", "content_type", "body", "says"),
    [
        (500, "application/json", b'{"status":"error","error":"out of memory"}', "out of memory"),
        (503, "text/plain", b"Service Unavailable", "503"),
        (200, "text/html", b"<html>please log in</html>", ""),
        (200, "application/json", b"{", ""),
        (200, "application/json", b"", ""),
        (200, "application/json", b"[]", ""),
        (200, "application/json", b"null", ""),
        (200, "application/json", b'{"status":"success"}', ""),
        (200, "application/json", b'{"status":"success","data":null}', ""),
        (200, "application/json", b'{"status":"success","data":{"result":null}}', ""),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else "",
)
async def test_an_answer_that_is_none_says_what_to_do(
    server: Server, prometheus: Prometheus, status: int, content_type: str, body: bytes, says: str
) -> None:
    server.status, server.content_type, server.body = status, content_type, body
    with pytest.raises(MetricsError, match=r"check that it runs and that the operator's prometheus.url is right") as e:
        await prometheus.read([IRIS], [])
    assert says in str(e.value)


async def test_a_query_that_is_refused_is_told_from_a_prometheus_that_is_away(
    server: Server, prometheus: Prometheus
) -> None:
    server.status, server.body = 422, b'{"status":"error","error":"too many samples"}'
    with pytest.raises(MetricsError, match=r"refused the query \(too many samples\): .*raise the limits of Prometheus"):
        await prometheus.read([IRIS], [])


async def test_a_prometheus_that_hangs_is_not_waited_for(server: Server, prometheus: Prometheus) -> None:
    server.slow = True
    with pytest.raises(MetricsError, match=r"timed out.*check that it runs"):
        await prometheus.read([IRIS], [])


async def test_the_operator_goes_on_while_prometheus_is_asked(server: Server, prometheus: Prometheus) -> None:
    # given a Prometheus that does not answer yet
    server.slow = True
    asking = asyncio.create_task(prometheus.read([IRIS], []))

    # when the question has reached it
    async with asyncio.timeout(5):
        while not server.asked:  # noqa: ASYNC110 - the server is a thread of its own
            await asyncio.sleep(0.001)

    # then everything else went on meanwhile: the question is asked in a thread
    assert not asking.done()
    server.delay.set()
    with contextlib.suppress(MetricsError):  # on a busy machine it may be too late
        assert await asking == {}


async def test_a_prometheus_that_is_away_is_told(server: Server) -> None:
    # given a port at which nobody listens any more
    with server.running() as url:
        pass
    with pytest.raises(MetricsError, match=r"refused.*prometheus\.url is right"):
        await Prometheus(url, timedelta(seconds=2)).read([IRIS], [])


async def test_an_answer_after_trouble_is_used(server: Server, prometheus: Prometheus) -> None:
    server.status = 500
    with pytest.raises(MetricsError):
        await prometheus.read([IRIS], [])
    server.status = 200
    server.says(stamps(100))
    assert (await prometheus.read([IRIS], [])).keys() == {IRIS}
