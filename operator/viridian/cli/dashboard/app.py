"""The page's HTTP server: files, data, events and, where they are allowed, actions."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from viridian.api.errors import ViridianError
from viridian.cli.giving import give
from viridian.cli.kubectl import Kubectl
from viridian.cli.model import Json, read_time

from .answers import read_answers
from .feed import Feed
from .traffic import Prometheus
from .view import ACTIONS, detail, row

_PAGE: Final = files(__package__) / "page"
_FILES: Final = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "model.js": "text/javascript",
    "api.js": "text/javascript",
    "chart.js": "text/javascript",
    "elements.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_APART: Final = 0.25
"""Seconds between two sets of events, so that a burst of changes is sent once."""
_ALIVE: Final = 15.0
"""Seconds after which a stream without events sends a comment: a connection that broke is noticed."""
_OBEYED_WITHIN: Final = 30.0
"""Seconds to wait for the operator's answer to a command."""
_STREAM: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # a proxy in between must not collect events
}
_WINDOW: Final = timedelta(minutes=30)
"""Traffic of a model at rest is shown for this long, and that before a rollout for a sixth of it."""


class Dashboard:
    """The handlers of one page."""

    def __init__(self, feed: Feed, prometheus: Prometheus | None, commands: Kubectl | None = None) -> None:
        """Take what the page shows, and by what it gives commands; None keeps it from giving any."""
        self._feed = feed
        self._prometheus = prometheus
        self._commands = commands

    def application(self, access: Middleware, follow: Callable[[], Coroutine[None, None, None]]) -> web.Application:
        """Return the application.

        Args:
            access: The check that stands before every handler.
            follow: Keeps the feed up to date until it is cancelled; it runs as long as the application.
        """
        app = web.Application(middlewares=[access], client_max_size=4096)
        app.add_routes(
            [
                web.get("/", self._index),
                web.get("/page/{file}", self._file),
                web.get("/api/models", self._models),
                web.get("/api/models/{namespace}/{name}", self._model),
                web.get("/api/models/{namespace}/{name}/traffic", self._traffic),
                web.get("/api/models/{namespace}/{name}/answers", self._answers),
                web.post("/api/models/{namespace}/{name}/{verb}", self._act),
                web.get("/api/events", self._events),
            ]
        )

        async def following(_: web.Application) -> AsyncIterator[None]:
            task = asyncio.create_task(follow())
            yield
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        app.cleanup_ctx.append(following)
        return app

    async def _index(self, _: web.Request) -> web.Response:
        return web.Response(text=(_PAGE / "index.html").read_text("utf-8"), content_type="text/html")

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["file"]
        if name not in _FILES:
            raise web.HTTPNotFound
        return web.Response(text=(_PAGE / name).read_text("utf-8"), content_type=_FILES[name])

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "models": [row(model) for model in self._feed.models.values()],
                "trouble": self._feed.trouble,
                "actions": self._commands is not None,
                "traffic": self._prometheus is not None,
            }
        )

    async def _model(self, request: web.Request) -> web.Response:
        found = self._detail(_key(request))
        if found is None:
            return web.json_response({"error": f"there is no ModelDeployment {_key(request)}"}, status=404)
        return web.json_response(found)

    async def _traffic(self, request: web.Request) -> web.Response:
        if self._prometheus is None:
            return web.json_response({"error": "start the page with --prometheus URL to see its traffic"}, status=404)
        found = self._detail(_key(request))
        if found is None:
            return web.json_response({"error": f"there is no ModelDeployment {_key(request)}"}, status=404)
        now = datetime.now(UTC)
        begun = self._feed.models[_key(request)].status.get("startedAt")
        since = min(read_time(begun) - _WINDOW / 6, now - _WINDOW / 6) if begun else now - _WINDOW
        try:
            lines = await self._prometheus.lines(found["namespace"], found["name"], since, now)
        except ViridianError as error:
            return web.json_response({"error": str(error)}, status=502)
        return web.json_response({"since": since.timestamp(), "until": now.timestamp(), **lines})

    async def _answers(self, request: web.Request) -> web.Response:
        if self._prometheus is None:
            return web.json_response({"error": "start the page with --prometheus URL to see its answers"}, status=404)
        if (found := self._detail(_key(request))) is None:
            return web.json_response({"error": f"there is no ModelDeployment {_key(request)}"}, status=404)
        try:
            read = await asyncio.to_thread(read_answers, self._prometheus.url, found["namespace"], found["name"])
        except ViridianError as error:
            return web.json_response({"error": str(error)}, status=502)
        return web.json_response(read)

    async def _act(self, request: web.Request) -> web.Response:
        verb, name = request.match_info["verb"], request.match_info["name"]
        if self._commands is None:
            return web.json_response(
                {"error": "actions are off: start the page with --allow-actions to give commands"}, status=403
            )
        if verb not in ACTIONS:
            return web.json_response({"error": f"there is no action {verb}: {', '.join(ACTIONS)}"}, status=404)
        kubectl = replace(self._commands, namespace=request.match_info["namespace"])
        try:
            answer = await asyncio.to_thread(give, kubectl, verb, name, _OBEYED_WITHIN)
        except ViridianError as error:
            return web.json_response({"error": f"{error}"}, status=409)
        if not answer.obeyed:
            return web.json_response({"error": f"the operator refused: {answer.message}"}, status=409)
        return web.json_response({"message": answer.message})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: `begin`; `row` and `gone` for the list, `model` for the one looked at, `trouble`."""
        looked_at = request.query.get("model", "")
        stream = web.StreamResponse(headers=_STREAM)
        await stream.prepare(request)
        with self._feed.changes() as changes, suppress(ConnectionResetError):  # which is how the browser leaves
            # Whoever hears this reads everything once more: nothing that changed before is told.
            await stream.write(self._event("begin", "") + self._event("trouble", self._feed.trouble))
            while True:
                try:
                    keys = await asyncio.wait_for(changes.next(), _ALIVE)
                except TimeoutError:
                    await stream.write(b": still here\n\n")
                    continue
                await stream.write(b"".join(self._told(keys, looked_at)))
                await asyncio.sleep(_APART)
        return stream

    def _told(self, keys: set[str], looked_at: str) -> list[bytes]:
        """The events that tell of these changes."""
        events = []
        for changed in sorted(keys):
            if not changed:
                events.append(self._event("trouble", self._feed.trouble))
            elif (model := self._feed.models.get(changed)) is None:
                events.append(self._event("gone", changed))
            else:
                events.append(self._event("row", row(model)))
                if changed == looked_at:
                    events.append(self._event("model", self._detail(changed)))
        return events

    def _detail(self, name: str) -> Json | None:
        model = self._feed.models.get(name)
        return None if model is None else detail(model, self._feed.records[name])

    @staticmethod
    def _event(kind: str, data: object) -> bytes:
        return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def _key(request: web.Request) -> str:
    return f"{request.match_info['namespace']}/{request.match_info['name']}"
