"""The page's server: who may use it, what it answers, and what a cluster or a Prometheus that fails looks like."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from tests.cli.test_verdict import ask_for, at_stable
from tests.cli.worlds import printed
from tests.waiting import DEADLINE

from viridian.api.status import Phase
from viridian.cli.dashboard.access import Access
from viridian.cli.dashboard.app import Dashboard
from viridian.cli.dashboard.feed import Feed
from viridian.cli.dashboard.kubectl_watch import KubectlWatch
from viridian.cli.dashboard.traffic import Prometheus
from viridian.cli.kubectl import Kubectl
from viridian.cli.model import Model

KUBECTL = """#!/bin/sh
echo "$*" >> "$0.log"
case "$*" in
  *--raw*watch=true*) exec tail -n +1 -f "$0.events" ;;
  *--raw*) cat "$0.list" ;;
  *) echo "error: nothing is known of: $*" >&2; exit 1 ;;
esac
"""


class Cluster:
    """A kubectl that knows some models, and what becomes of them."""

    def __init__(self, folder: Path) -> None:
        self._kubectl = folder / "kubectl"
        self._kubectl.write_text(KUBECTL)
        self._kubectl.chmod(0o755)
        self.has()

    def has(self, *models: Model) -> None:
        listed = {"metadata": {"resourceVersion": "7"}, "items": [model.manifest for model in models]}
        self._write("list", json.dumps(listed))
        self._write("events", "")

    def tells(self, kind: str, model: Model) -> None:
        with self._kubectl.with_suffix(".events").open("a") as events:
            events.write(json.dumps({"type": kind, "object": model.manifest}) + "\n")

    def fails_once(self) -> None:
        self._write("list", "no JSON")

    def asked(self) -> str:
        return self._kubectl.with_suffix(".log").read_text()

    def _write(self, kind: str, text: str) -> None:
        self._kubectl.with_suffix(f".{kind}").write_text(text)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return Cluster(tmp_path)


class Page:
    """The page as a browser has it that opened its address."""

    def __init__(self, port: int, access: Access, session: aiohttp.ClientSession, feed: Feed) -> None:
        self.port, self.access, self.session, self.feed = port, access, session, feed

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        async with self.session.get(f"http://127.0.0.1:{self.port}{path}", headers=headers) as answer:
            return answer.status, await answer.json()

    async def post(self, path: str, **headers: str) -> tuple[int, str]:
        async with self.session.post(f"http://127.0.0.1:{self.port}{path}", headers=headers) as answer:
            return answer.status, (await answer.json())["error"]

    async def until(self, *keys: str) -> None:
        async with asyncio.timeout(DEADLINE):
            with self.feed.changes() as changes:
                while set(self.feed.models) != set(keys) or self.feed.trouble:
                    await changes.next()


async def opened(cluster: Cluster, *, prometheus: str = "", actions: bool = False) -> AsyncIterator[Page]:
    kubectl = Kubectl(namespace="ml")
    port = unused_port()
    access, feed = Access(port), Feed()
    source = Prometheus(prometheus) if prometheus else None
    watch = KubectlWatch(feed, kubectl, everywhere=True)
    dashboard = Dashboard(feed, source, kubectl if actions else None)
    application = dashboard.application(access.middleware(), watch.run)
    async with (
        TestServer(application, port=port),
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        async with session.get(access.address) as answer:
            assert answer.status == 200
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert "token" not in str(answer.url)
        yield Page(port, access, session, feed)


@pytest.fixture
async def page(cluster: Cluster) -> AsyncIterator[Page]:
    async for made in opened(cluster):
        yield made


@pytest.fixture
async def acting(cluster: Cluster) -> AsyncIterator[Page]:
    async for made in opened(cluster, actions=True):
        yield made


async def test_without_the_token_nothing_is_shown(page: Page) -> None:
    async with aiohttp.ClientSession() as stranger:
        for path in ("/", "/page/page.js", "/api/models", "/api/events", "/?token=wrong"):
            async with stranger.get(f"http://127.0.0.1:{page.port}{path}") as answer:
                assert answer.status == 403
                assert "open the address that the command printed" in (await answer.json())["error"]


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1:1", "localhost"])
async def test_another_host_is_refused_even_with_the_token(page: Page, host: str) -> None:
    status, answer = await page.get("/api/models", Host=host)

    assert status == 403
    assert host in answer["error"]


@pytest.mark.parametrize("headers", [{}, {"Origin": "null"}, {"Origin": "http://evil.example.com"}])
async def test_an_action_of_another_page_is_refused(acting: Page, headers: dict[str, str]) -> None:
    status, error = await acting.post("/api/models/ml/iris/abort", **headers)

    assert status == 403
    assert "its Origin is another" in error


async def test_actions_are_off_unless_they_are_allowed(page: Page) -> None:
    status, error = await page.post("/api/models/ml/iris/abort", Origin=f"http://127.0.0.1:{page.port}")

    assert status == 403
    assert "--allow-actions" in error


async def test_an_unknown_action_names_those_that_there_are(acting: Page) -> None:
    status, error = await acting.post("/api/models/ml/iris/explode", Origin=f"http://127.0.0.1:{acting.port}")

    assert status == 404
    assert "approve, promote" in error


async def test_the_list_follows_the_watch(cluster: Cluster, page: Page) -> None:
    # given a cluster with a model, of which the watch tells that it rolls out and that another one is deleted
    world = at_stable()
    resting = printed(world)
    other = Model({**resting.manifest, "metadata": {**resting.manifest["metadata"], "name": "rose"}})
    ask_for(world)
    world.until(Phase.PROGRESSING)
    await page.until()
    for kind, model in (("ADDED", resting), ("ADDED", other), ("MODIFIED", printed(world)), ("DELETED", other)):
        cluster.tells(kind, model)

    # when
    async with asyncio.timeout(DEADLINE):
        with page.feed.changes() as changes:
            while "ml/iris" not in page.feed.models or page.feed.models["ml/iris"].phase != "Progressing":
                await changes.next()
    await page.until("ml/iris")

    # then
    (line,) = (await page.get("/api/models"))[1]["models"]
    assert (line["stable"], line["candidate"], line["tone"]) == ("v1.0.0", "v2.0.0", "busy")
    assert "--raw /apis/viridian.dev/v1alpha1/modeldeployments?watch=true&resourceVersion=7" in cluster.asked()
    _, one = await page.get("/api/models/ml/iris")
    assert [role["color"] for role in one["roles"]] == ["blue", "green"]
    assert one["record"]["weights"]
    assert (await page.get("/api/models/ml/rose")) == (404, {"error": "there is no ModelDeployment ml/rose"})


async def test_a_stream_tells_of_changes(cluster: Cluster, page: Page) -> None:
    # given a list that is looked at
    async with page.session.get(f"http://127.0.0.1:{page.port}/api/events") as stream:
        # then it says first that it begins: what changed before is read apart
        assert await stream.content.readline() == b"event: begin\n"
        # when a model arrives
        cluster.tells("ADDED", printed(at_stable()))

        # then its line is sent
        async with asyncio.timeout(DEADLINE):
            async for line in stream.content:
                if line == b"event: row\n":
                    break
            row = json.loads((await stream.content.readline()).removeprefix(b"data: "))
        assert (row["key"], row["phase"]) == ("ml/iris", "Stable")


async def test_a_cluster_that_fails_is_said_and_tried_again(cluster: Cluster, page: Page) -> None:
    # given
    await page.until()
    cluster.fails_once()
    page.feed.trouble = ""

    # when the watch ends, and kubectl says no sense
    feed = Feed()
    watch = KubectlWatch(feed, Kubectl(), everywhere=True)
    with pytest.raises(json.JSONDecodeError):
        await watch._watch()

    # then the same feed goes on when it does
    cluster.has(printed(at_stable()))
    running = asyncio.create_task(watch.run())
    async with asyncio.timeout(DEADLINE):
        with feed.changes() as changes:
            while not feed.models:
                await changes.next()
    running.cancel()
    assert feed.trouble == ""


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (web.json_response({"status": "error", "error": "parse error"}, status=400), "parse error"),
        (web.Response(text="<html>", content_type="text/html"), "does not answer (JSONDecodeError)"),
        (web.json_response([1]), "its answer is no JSON of its API"),
    ],
)
async def test_a_prometheus_that_fails_is_named_with_the_way_out(
    cluster: Cluster, answer: web.Response, said: str
) -> None:
    # given
    async def respond(_: web.Request) -> web.Response:
        return web.Response(text=answer.text, status=answer.status, content_type=answer.content_type)

    application = web.Application()
    application.router.add_get("/api/v1/query_range", respond)
    cluster.has(printed(at_stable()))
    async with TestServer(application) as prometheus:
        async for page in opened(cluster, prometheus=str(prometheus.make_url("/"))):
            await page.until("ml/iris")

            # when
            status, body = await page.get("/api/models/ml/iris/traffic")

            # then
            assert status == 502
            assert said in body["error"]
            assert "--prometheus" in body["error"]


def vector(*samples: tuple[dict[str, str], float]) -> dict[str, Any]:
    result = [{"metric": metric, "value": [0, str(value)]} for metric, value in samples]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


async def test_disagreements_are_shown_by_kind_and_drift_by_feature(cluster: Cluster) -> None:
    # given a Prometheus that knows of a shadow step, and of a feature that moved
    candidate, feature = {"candidate": "iris-2"}, {"revision": "iris-1", "kind": "feature", "variable": "age"}
    known = {
        "viridian_shadow_total": vector(
            ({**candidate, "result": "agreed"}, 970), ({**candidate, "result": "disagreed"}, 30)
        ),
        "viridian_shadow_difference_bucket": vector(
            ({**candidate, "le": "0.01"}, 900), ({**candidate, "le": "0.1"}, 900), ({**candidate, "le": "+Inf"}, 1000)
        ),
        "viridian_drift_baseline_values": vector(
            ({**feature, "bin": "18..40"}, 500), ({**feature, "bin": "40..64"}, 500)
        ),
        "viridian_drift_observed_total": vector(
            ({**feature, "bin": "18..40"}, 100), ({**feature, "bin": "40..64"}, 900)
        ),
    }

    async def respond(request: web.Request) -> web.Response:
        [name] = [name for name in known if f"{name}{{" in request.query["query"]]
        assert 'model_namespace="ml",model="iris"' in request.query["query"]
        return web.json_response(known[name])

    application = web.Application()
    application.router.add_get("/api/v1/query", respond)
    cluster.has(printed(at_stable()))
    async with TestServer(application) as prometheus:
        async for page in opened(cluster, prometheus=str(prometheus.make_url("/"))):
            await page.until("ml/iris")
            # when
            status, body = await page.get("/api/models/ml/iris/answers")
    # then
    assert status == 200
    [shadow] = body["shadow"]
    assert (shadow["revision"], shadow["results"]) == ("iris-2", {"agreed": 970, "disagreed": 30})
    assert shadow["differences"] == [{"atMost": 0.01, "count": 900}, {"atMost": None, "count": 100}]
    [drift] = body["drift"]
    assert (drift["variable"], drift["drifts"]) == ("age", True)
    assert "median" in drift["moved"]


async def test_without_a_shadow_step_and_a_baseline_there_is_a_word_on_how_to_get_one(cluster: Cluster) -> None:
    async def respond(_: web.Request) -> web.Response:
        return web.json_response(vector())

    application = web.Application()
    application.router.add_get("/api/v1/query", respond)
    cluster.has(printed(at_stable()))
    async with TestServer(application) as prometheus:
        async for page in opened(cluster, prometheus=str(prometheus.make_url("/"))):
            await page.until("ml/iris")
            status, body = await page.get("/api/models/ml/iris/answers")
    assert (status, body["shadow"], body["drift"]) == (200, [], [])
    assert "put a baseline.json beside the model" in body["why"]


async def test_a_prometheus_that_is_away_has_no_answers(cluster: Cluster) -> None:
    cluster.has(printed(at_stable()))
    async for page in opened(cluster, prometheus=f"http://127.0.0.1:{unused_port()}"):
        await page.until("ml/iris")
        status, body = await page.get("/api/models/ml/iris/answers")
        assert status == 502
        assert "cannot be reached" in body["error"]
