"""A small HTTP/1.1 server: the parser is httptools (llhttp), the rest is what this pod needs and no more.

It exists because the road of every prediction leads through it. Measured on the same machine, an ASGI server answered
15 thousand constant requests a second at 32 connections and this one 34 thousand; and a prediction API must know things
that ASGI hides: that a client has left while its request runs, and which connections are idle when the pod is asked to
stop.
"""

import asyncio
import time
from collections import Counter
from typing import Final

from viridian_serving.http1.body_budget import BodyBudget
from viridian_serving.http1.connection import Connection, Handler
from viridian_serving.http1.listeners import BACKLOG, open_listener
from viridian_serving.http1.messages import Headers

_SWEEP: Final = 5.0


class HttpServer:
    """Listeners, their connections, and an orderly end."""

    def __init__(self, max_body: int, headers: Headers = (), max_bodies: int | None = None) -> None:
        """Make a server without listeners.

        Args:
            max_body: Largest body of a request, in bytes.
            headers: Put on answers that no handler gives, such as to what is not HTTP.
            max_bodies: Bytes of all bodies that are held at a time; by default those of sixteen of the largest.
        """
        self.max_body = max_body
        self.advice = "send fewer instances in a request"
        """What to do about a body that is too large."""
        self.headers = headers
        self.budget = BodyBudget(max_bodies or 16 * max_body)
        self.closing = False
        self.moving = False
        """Whether clients are told to open new connections, because the name that they came by leads elsewhere now."""
        self.connections: set[Connection] = set()
        self.in_flight = 0
        self.refusals: Counter[int] = Counter()
        """Answers by status, to what never became a request."""
        self.last_request = 0.0
        """When the last request was received, by `time.perf_counter`."""
        self._listeners: list[asyncio.Server] = []
        self._empty = asyncio.Event()
        self._sweeper: asyncio.TimerHandle | None = None

    async def listen(self, host: str, port: int, handler: Handler) -> None:
        """Open a listener.

        Args:
            host: Name or address to bind; `listeners.ANY` for all.
            port: Port to bind.
            handler: Answers its requests.

        Raises:
            OSError: The address is taken or not ours.
        """
        loop = asyncio.get_running_loop()
        listener = open_listener(host, port)
        # Without `backlog`, the loop sets the socket's to 100.
        server = await loop.create_server(lambda: Connection(self, handler), sock=listener, backlog=BACKLOG)
        self._listeners.append(server)
        if self._sweeper is None:
            self._sweep()

    def announce_closing(self) -> None:
        """Tell every client with its next answer that the connection ends; new ones are still served."""
        self.closing = True

    async def close(self, longest: float) -> bool:
        """Close listeners and idle connections, and wait for the requests that run.

        Args:
            longest: Longest wait in seconds.

        Returns:
            Whether every request was answered in time.
        """
        self.announce_closing()
        # What the kernel has accepted already, and what was already sent on an idle connection, is read first.
        for _ in range(3):
            await asyncio.sleep(0)
        for listener in self._listeners:
            listener.close()
        for connection in list(self.connections):
            connection.close_if_idle()
        # Every connection ends once its last answer is written out, so this waits for the bytes too.
        try:
            if self.connections:
                await asyncio.wait_for(self._empty.wait(), longest)
        except TimeoutError:
            return False
        finally:
            if self._sweeper is not None:
                self._sweeper.cancel()
        return True

    def forget(self, connection: "Connection") -> None:
        """Record that a connection has ended."""
        self.connections.discard(connection)
        if self.closing and not self.connections:
            self._empty.set()

    def _sweep(self) -> None:
        now = time.perf_counter()
        for connection in list(self.connections):
            connection.expire(now)
        self._sweeper = asyncio.get_running_loop().call_later(_SWEEP, self._sweep)
