"""The query that is sent, and what Prometheus may answer."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

import pytest
from tests.metrics.answers import IRIS, requests, stamps
from tests.metrics.server import Server
from tests.waiting import until

from viridian.api.model_key import ModelKey
from viridian.metrics.batches import BATCH, GIVE_UP_AFTER, HALVES
from viridian.metrics.connection import Connection, MetricsError
from viridian.metrics.prometheus import Prometheus, Samples, build_query, trusted
from viridian_shared.counts.latency import GRID

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
        ({"__name__": "viridian_counters_started_seconds"}, True),
        ({"__name__": "viridian_fallback_available"}, True),
        ({"__name__": "viridian_failures_total"}, True),
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
        yield Prometheus(Connection(url, timeout=timedelta(seconds=60)), timedelta(seconds=2))


@pytest.mark.parametrize(
    ("interval", "back", "window"), [(1, 0, 6), (2, 0, 12), (15, 0, 90), (1.3, 0, 8), (0.5, 0, 3), (2, 15, 27)]
)
async def test_a_query_looks_back_over_a_few_scrapes(server: Server, interval: float, back: float, window: int) -> None:
    with server.running() as url:
        await Prometheus(Connection(url), timedelta(seconds=interval)).read([IRIS], [], back=back)
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
    with pytest.raises(MetricsError, match="partial answer: store eu-1 did not answer"):
        trusted((await prometheus.read([IRIS], []))[IRIS])

    # and the next answer, without one, is
    server.says(stamps(100), requests("split", "ok", 5))
    assert (await prometheus.read([IRIS], [])).keys() == {IRIS}


@pytest.mark.parametrize(
    ("status", "content_type", "body", "says"),
    [
        (500, "application/json", b'{"status":"error","error":"out of memory"}', "out of memory"),
        (503, "text/plain", b"Service Unavailable", "503"),
        (503, "text/html", b"<html>\n  <h1>Service\tUnavailable</h1>", "(503: <html> <h1>Service Unavailable</h1>)"),
        (404, "application/json", b"[]", "(404: [])"),
        (500, "application/json", b'{"error":"a\\ud800\\u0000b"}', "(500: a b)"),
        (200, "text/html", b"<html>please log in</html>", "please log in"),
        (200, "application/json", b'{"status":"success","data":{"result":"none"}}', ""),
        (302, "text/html", b"", "redirects to http://127.0.0.1:"),
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
    found = await prometheus.read([IRIS], [])
    with pytest.raises(
        MetricsError, match=r"refused the query \(422: too many samples\): .*raise the limits of Prometheus"
    ):
        trusted(found[IRIS])


async def test_a_prometheus_that_hangs_is_not_waited_for(server: Server) -> None:
    server.slow = True
    with server.running() as url:
        hanging = Prometheus(Connection(url, timeout=timedelta(seconds=0.1)), timedelta(seconds=2))
        with pytest.raises(MetricsError, match=r"timed out.*check that it runs"):
            await hanging.read([IRIS], [])


async def test_the_operator_goes_on_while_prometheus_is_asked(server: Server, prometheus: Prometheus) -> None:
    # given a Prometheus that does not answer yet
    server.slow = True
    asking = asyncio.create_task(prometheus.read([IRIS], []))

    # when the question has reached it
    await until(lambda: server.asked)

    # then everything else went on meanwhile: the question is asked in a thread
    assert not asking.done()
    server.delay.set()
    assert await asking == {}


async def test_a_prometheus_that_is_away_is_told(server: Server) -> None:
    # given a port at which nobody listens any more
    with server.running() as url:
        pass
    with pytest.raises(MetricsError, match=r"refused.*prometheus\.url is right"):
        await Prometheus(Connection(url), timedelta(seconds=2)).read([IRIS], [])


async def test_an_answer_after_trouble_is_used(server: Server, prometheus: Prometheus) -> None:
    server.status = 500
    with pytest.raises(MetricsError):
        await prometheus.read([IRIS], [])
    server.status = 200
    server.says(stamps(100))
    assert (await prometheus.read([IRIS], [])).keys() == {IRIS}


async def test_the_query_travels_in_the_body(server: Server, prometheus: Prometheus) -> None:
    # given models with names so long that their query fits in no line of a request
    keys = [(f"team-{number:03}-production", f"recommendation-model-{number:03}") for number in range(BATCH)]

    # when they are read as of a moment
    await prometheus.read(keys, GRID, at=1700000000.5)

    # then the request's target has nothing but that moment, and the body all the rest
    assert server.targets == ["/api/v1/query?time=1700000000.500"]
    assert len(server.sent[0]) > 8192
    assert server.asked[0]["query"] == [build_query(keys, GRID, 12)]


@pytest.mark.parametrize("status", [502, 422, 200])
@pytest.mark.parametrize("content_type", ["text/html", "application/json"])
async def test_a_long_page_is_cut_to_what_a_person_reads(
    server: Server, prometheus: Prometheus, status: int, content_type: str
) -> None:
    # given somebody before Prometheus who answers with its own page
    server.status, server.content_type = status, content_type
    server.body = b"<html>\n\n\n   <title>Sign in</title>" + b"  <p>more and more</p>\n" * 4000

    # when
    with pytest.raises(MetricsError) as told:
        trusted((await prometheus.read([IRIS], []))[IRIS])

    # then its beginning is told, in one line, and what to do
    assert f"({status}" in str(told.value)
    assert "<html> <title>Sign in</title> <p>more and more</p> <p>more" in str(told.value)
    assert re.search(r"prometheus\.url is right|limits of Prometheus", str(told.value))
    assert len(str(told.value)) <= 600


@pytest.mark.parametrize("status", [400, 422, 500])
async def test_a_long_reason_is_cut(server: Server, prometheus: Prometheus, status: int) -> None:
    server.fails = lambda _: (status, "found duplicate series: " + "{a=b}, " * 1000)
    with pytest.raises(MetricsError, match=rf"\({status}: found duplicate series: .*…\): ") as told:
        trusted((await prometheus.read([IRIS], []))[IRIS])
    assert len(str(told.value)) <= 600


async def test_long_warnings_are_cut(server: Server, prometheus: Prometheus) -> None:
    server.says(stamps(100), warnings=["store eu-1 did not answer"] * 1000)
    with pytest.raises(MetricsError, match=r"partial answer: store eu-1 did not answer; store") as told:
        trusted((await prometheus.read([IRIS], []))[IRIS])
    assert len(str(told.value)) <= 600


def test_no_message_is_longer_than_a_person_reads() -> None:
    assert len(str(MetricsError("pod " + "x" * 5000))) == 600
    assert str(MetricsError("pod x\n is\tsilent")) == "pod x is silent"


HUGE = ("default", "m-077")


def too_large(*names: str) -> Callable[[str], tuple[int, str] | None]:
    """Refuses what asks for one of these models."""

    def fails(query: str) -> tuple[int, str] | None:
        models = dict(LABEL.findall(query))["model"].split("|")
        return (422, "query processing would load too many samples") if {*names} & {*models} else None

    return fails


@pytest.fixture
def many(server: Server) -> list[ModelKey]:
    """Models of two batches, each with its series."""
    keys = [("default", f"m-{number:03}") for number in range(BATCH + 60)]
    server.says(*(stamps(100, model=name, revision=f"{name}-1") for _, name in keys))
    return keys


def blind(found: Mapping[ModelKey, Samples | MetricsError]) -> set[ModelKey]:
    return {key for key, samples in found.items() if isinstance(samples, MetricsError)}


async def test_a_model_that_is_too_large_blinds_itself_alone(
    server: Server, prometheus: Prometheus, many: list[ModelKey]
) -> None:
    # given a Prometheus that refuses every query with the series of one model
    server.fails = too_large("m-077")

    # when all are read, then that one has its error and all the others their samples, for a few queries more
    found = await prometheus.read(many, [])
    assert blind(found) == {HUGE}
    assert "422: query processing would load too many samples" in str(found[HUGE])
    assert found.keys() == {*many}
    assert len(server.asked) <= 2 + HALVES

    # and the next time it is asked for alone
    server.asked.clear()
    assert blind(await prometheus.read(many, [])) == {HUGE}
    assert len(server.asked) == 3

    # until it is answered
    server.fails = lambda _: None
    assert blind(await prometheus.read(many, [])) == {HUGE}  # it has its turn every other time
    assert blind(await prometheus.read(many, [])) == set()
    server.asked.clear()
    assert (await prometheus.read(many, [])).keys() == {*many}
    assert len(server.asked) == 2


async def test_a_model_without_series_next_to_one_that_is_too_large_has_no_error(
    server: Server, prometheus: Prometheus, many: list[ModelKey]
) -> None:
    server.says()
    server.fails = too_large("m-077")
    assert (await prometheus.read(many, [])).keys() == {HUGE}


async def test_what_is_refused_of_the_past_is_asked_for_now(server: Server, prometheus: Prometheus) -> None:
    # given a model whose series were too many back then
    server.fails = lambda _: (422, "too many samples")
    assert blind(await prometheus.read([IRIS, ("default", "wine")], [], at=1700000000.0)) == {IRIS, ("default", "wine")}

    # when it is read as of now, then with all others
    server.fails = lambda _: None
    server.asked.clear()
    await prometheus.read([IRIS, ("default", "wine")], [])
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [500, 503])
async def test_a_batch_that_is_not_answered_blinds_no_other(
    server: Server, prometheus: Prometheus, many: list[ModelKey], status: int
) -> None:
    # given a Prometheus that breaks down over the first batch
    server.fails = lambda query: (status, "out of memory") if "m-000" in query else None

    # when all are read, then that batch is not halved, and the others are seen
    found = await prometheus.read(many, [])
    assert blind(found) == {*many[:BATCH]}
    assert len(server.asked) == 2


async def test_a_prometheus_that_is_away_is_not_asked_for_every_batch(server: Server) -> None:
    # given a Prometheus that answers nobody
    server.slow = True
    keys = [("default", f"m-{number}") for number in range(5 * BATCH)]

    # when all are read, then it is said so after two tries, whatever the number of batches
    with server.running() as url:
        with pytest.raises(MetricsError, match=r"timed out.*check that it runs"):
            await Prometheus(Connection(url, timeout=timedelta(seconds=0.1)), timedelta(seconds=2)).read(keys, [])
        # On a busy machine the time may be over before a query is sent.
        assert len(server.asked) <= GIVE_UP_AFTER


async def test_what_is_refused_now_is_not_looked_for_in_the_past(server: Server, prometheus: Prometheus) -> None:
    # given a model that is too large as of now
    server.fails = lambda query: (422, "too many samples") if "iris" in query else None
    await prometheus.read([IRIS, ("default", "wine")], [])
    server.asked.clear()

    # when both are read as of a moment, then only the other one is asked for
    assert blind(await prometheus.read([IRIS, ("default", "wine")], [], at=1700000000.0)) == {IRIS}
    assert [dict(LABEL.findall(one["query"][0]))["model"] for one in server.asked] == ["wine"]
