"""A Prometheus that answers what it is told to."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Server:
    """A Prometheus that answers what it is told to."""

    def __init__(self) -> None:
        self.status, self.content_type, self.delay = 200, "application/json", Event()
        self.body = b""
        self.asked: list[dict[str, list[str]]] = []
        self.targets: list[str] = []
        self.sent: list[str] = []
        self.fails: Callable[[str], tuple[int, str] | None] = lambda _: None
        self.slow = False
        self.says()

    def says(self, *series: dict[str, Any], **more: Any) -> None:
        self.answers("matrix", list(series), **more)

    def answers(self, kind: str, result: Any, **more: Any) -> None:
        self.body = json.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more}).encode()

    def reply(self, query: str) -> tuple[int, bytes]:
        failure = self.fails(query)
        if failure is None:
            return self.status, self.body
        status, error = failure
        return status, json.dumps({"status": "error", "error": error}).encode()

    @contextmanager
    def running(self) -> Iterator[str]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                asked = {**parse_qs(urlsplit(self.path).query), **parse_qs(sent)}
                outer.asked.append(asked)
                outer.targets.append(self.path)
                outer.sent.append(sent)
                if outer.slow:
                    outer.delay.wait(10)
                self._answer(*outer.reply(asked["query"][0]))

            def do_GET(self) -> None:
                self._answer(200, outer.body)

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", outer.content_type)
                self.send_header("Content-Length", str(len(body)))
                if status in {301, 302}:
                    self.send_header("Location", "/elsewhere?query=lost")
                self.end_headers()
                with suppress(ConnectionError):  # who asked did not wait for a slow answer
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        self.delay.set()
        server.shutdown()
        server.server_close()
