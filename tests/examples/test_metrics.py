"""What Prometheus answers is read as it is meant, and its silence is said."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from examples.demo.errors import DemoError
from examples.demo.metrics import Prometheus, Traffic, read_error_counts, read_traffic
from examples.demo.report import ErrorCounts


def count(revision: str, outcome: str, value: str) -> dict[str, object]:
    return {"metric": {"revision": revision, "outcome": outcome}, "value": [0, value]}


def test_requests_and_errors_by_revision() -> None:
    counts = [count("digits-1", "ok", "90"), count("digits-1", "error", "10"), count("digits-2", "ok", "0")]
    latencies = [
        {"metric": {"revision": "digits-1"}, "value": [0, "0.25"]},
        {"metric": {"revision": "digits-2"}, "value": [0, "NaN"]},
    ]
    assert read_traffic(counts, latencies) == {
        "digits-1": Traffic(100, 10, 0.25),
        "digits-2": Traffic(0, 0, None),
    }


def test_the_first_error_of_any_pod_counts() -> None:
    series = [
        {"values": [[10.0, "0"], [12.0, "0"], [14.0, "3"]]},
        {"values": [[11.0, "0"], [13.0, "1"]]},
        {"values": [[11.5, "0"]]},
    ]
    assert read_error_counts(series) == ErrorCounts((10.0, 11.0, 11.5, 12.0, 13.0, 14.0), 11.0)


def test_without_errors_there_is_no_first_one() -> None:
    assert read_error_counts([{"values": [[10.0, "0"]]}]).last_without_errors is None
    assert read_error_counts([]) == ErrorCounts()


async def test_a_refused_query_is_said() -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"status": "error", "error": "parse error"}, status=400)

    application = web.Application()
    application.router.add_get("/api/v1/query", refuse)
    async with TestServer(application) as server, Prometheus(str(server.make_url("")).rstrip("/"), "n", "m") as asked:
        with pytest.raises(DemoError, match=r"refused the query .*: parse error"):
            await asked.traffic()


async def test_a_prometheus_that_is_not_there_is_said() -> None:
    async with Prometheus("http://127.0.0.1:1", "n", "m") as asked:
        with pytest.raises(DemoError, match=r"Prometheus does not answer at http://127\.0\.0\.1:1"):
            await asked.traffic()
