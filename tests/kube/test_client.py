"""The client before a server that is not what it should be."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from tests.waiting import DEADLINE

from viridian.kube.client import KubeClient
from viridian.kube.errors import Unavailable
from viridian.kube.resources import SERVICE


@pytest.fixture
async def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KubeClient]:
    """A client of a server that answers everything with a page of HTML, as a proxy does that one must log in to."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>Please log in</html>", content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", page)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "it", "user": {"token": "x"}}],
    }
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(file))
    async with KubeClient("test", timeout=60) as made:
        yield made
    await runner.cleanup()


async def test_an_answer_that_is_no_json_is_a_passing_trouble(client: KubeClient) -> None:
    with pytest.raises(Unavailable, match="the answer is not JSON; check whether a proxy is in between"):
        await client.get(SERVICE, "default", "iris")


async def test_a_call_without_time_is_not_sent_rather_than_waited_for_without_end(client: KubeClient) -> None:
    with pytest.raises(Unavailable, match="deadline passed before it was sent") as caught:
        async with asyncio.timeout(DEADLINE):
            await client._attempt("GET", "/api", None, {}, "application/json", "application/json", -0.1)
    assert caught.value.unsent
