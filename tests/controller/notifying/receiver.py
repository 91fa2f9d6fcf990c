"""A receiver of CloudEvents: a real HTTP server in this process, which can fail and hang."""

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


class Receiver:
    """Remembers what it was sent.

    Attributes:
        events: What it has accepted, in order.
        asked: How often it was asked.
        ids: Of all that it was sent, accepted or not.
        answers: Statuses of the next answers; then 204.
        hangs: Answer only once `let_go` is set.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.asked = 0
        self.ids: list[str] = []
        self.answers: list[int] = []
        self.headers: dict[str, str] = {}
        self.let_go = asyncio.Event()
        self.hangs = False
        application = web.Application()
        application.router.add_post("/{path:.*}", self._take)
        self._server = TestServer(application, host="127.0.0.1")

    async def __aenter__(self) -> "Receiver":
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.let_go.set()
        await self._server.close()

    @property
    def url(self) -> str:
        return f"http://{self.host}/events"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.port}"

    @property
    def kinds(self) -> list[str]:
        """The events that were accepted, by their names."""
        return [event["data"]["event"] for event in self.events]

    async def _take(self, request: web.Request) -> web.Response:
        self.asked += 1
        said = await request.json()
        self.ids.append(said["id"])
        if self.hangs:
            await self.let_go.wait()
        status = self.answers.pop(0) if self.answers else 204
        if status < 300:
            self.headers = dict(request.headers)
            self.events.append(said)
        return web.Response(status=status, headers={"Location": "/elsewhere"})
