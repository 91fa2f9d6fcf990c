"""A version that speaks the Open Inference Protocol out of a table, some of whose answers a test replaces."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from viridian_serving.codec.tensors import ModelSchema
from viridian_serving.contract.contract import Contract

CONFIG = {
    "max_batch_size": 8,
    "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": [2]}],
    "output": [{"name": "y", "data_type": "TYPE_FP32", "dims": [1]}],
}
INPUT, OUTPUT = (
    {"name": "x", "datatype": "FP32", "shape": [-1, 2]},
    {"name": "y", "datatype": "FP32", "shape": [-1, 1]},
)
METADATA = {"name": "m", "versions": ["1"], "platform": "onnxruntime", "inputs": [INPUT], "outputs": [OUTPUT]}
SAMPLE = b'{"x": [1.5, 2]}'
SCHEMA = {
    "model": "m",
    "raw": True,
    "input_schema": Contract.derived(ModelSchema.from_triton(CONFIG)).fingerprint,
    "limits": {"instances": 10},
    "features": [],
    "example": {"x": [0, 0]},
}


def answer(value: object = 5.5, **changes: object) -> dict[str, Any]:
    """An answer of the protocol."""
    return {"outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 1], "data": [value], **changes}]}


@dataclass
class Told:
    """One request, and what came with it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Table:
    """What is answered by path: a body, or a status and a body, or what makes either. Bytes are sent as they are."""

    routes: dict[str, Any]
    asked: list[Told] = field(default_factory=list)
    url: str = ""

    def answer(self, told: Told) -> tuple[int, bytes]:
        self.asked.append(told)
        found = self.routes[told.path]
        found = found() if isinstance(found, Callable) else found  # type: ignore[arg-type]
        status, body = found if isinstance(found, tuple) else (200, found)
        return status, body if isinstance(body, bytes) else json.dumps(body).encode()


@contextmanager
def version(**changes: Any) -> Iterator[Table]:
    """Run one.

    Args:
        changes: What is answered otherwise, by the last name of the path.
    """
    routes = {
        "/v2/health/live": b"",
        "/v2/health/ready": b"",
        "/v2/models/m/ready": b"",
        "/v2/models/m": METADATA,
        "/v2/models/m/config": CONFIG,
        "/v2/models/m/infer": answer(),
        "/schema": SCHEMA,
        "/predict": {"prediction": 5.5, "request_id": "1"},
    }
    named = {"live": "/v2/health/live", "ready": "/v2/health/ready", "model": "/v2/models/m/ready"}
    named |= {"metadata": "/v2/models/m", "config": "/v2/models/m/config", "infer": "/v2/models/m/infer"}
    named |= {"schema": "/schema", "predict": "/predict"}
    table = Table(routes | {named[name]: found for name, found in changes.items()})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answered = table.answer(Told(self.command, self.path, dict(self.headers), body))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answered)))
            self.end_headers()
            self.wfile.write(answered)

        do_POST = do_GET  # noqa: N815  as the library names it

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  as the library names it
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    table.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield table
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
