"""A server in a thread, in the place of a Prometheus that answers what a test needs."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Prometheus(BaseHTTPRequestHandler):
    """Answers every query with the samples that `samples` has for it."""

    def samples(self, query: str) -> list[dict[str, Any]]:
        raise NotImplementedError

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)["query"][0]
        body = json.dumps({"data": {"result": self.samples(query)}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(handler: type[Prometheus]) -> Iterator[str]:
    """Its address, without a slash at the end."""
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
