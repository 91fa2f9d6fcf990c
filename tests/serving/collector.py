"""A receiver of OTLP by https that does as it is told, be it to refuse or to be away; and how a pod is told of one."""

import gzip
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.serving.files import log_secret, make_certificate, settings_file
from tests.serving.pod import free_ports

Verdict = tuple[int, dict[str, str], bytes]
TAKEN: Verdict = (200, {}, b"{}")

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
TRACED = {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "a=b"}
"""The headers of a caller that traces."""


class Destination(Protocol):
    """A receiver of OTLP."""

    certificate: Path

    @property
    def root(self) -> str: ...


def log_to(directory: Path, receiver: Destination, token: str = "abc", **log: Any) -> dict[str, str]:  # noqa: S107
    """Variables of a pod whose prediction log goes to a receiver."""
    log = {"sink": "OTLP", "endpoint": f"{receiver.root}/v1/logs", **log}
    secret = {"ca": receiver.certificate.read_text(), "headers": f"authorization={quote(f'Bearer {token}')}"}
    return settings_file(directory / "live", log=log) | log_secret(directory / "secret", **secret)


def trace_to(receiver: Destination, environment: pytest.MonkeyPatch, token: str = "abc") -> None:  # noqa: S107
    """Let pods that start from now on send their traces to a receiver."""
    environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.root)
    environment.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(receiver.certificate))
    environment.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization={quote(f'Bearer {token}')}")
    environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    for elsewhere in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # the exporter's client believes these first
        environment.delenv(elsewhere, raising=False)


@dataclass
class Collector:
    certificate: Path
    key: Path
    port: int
    verdicts: list[Verdict] = field(default_factory=list)
    """What the next requests get; afterwards all are taken."""
    taken: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    """Path, headers and body of each request that was taken."""
    asked: int = 0
    server: ThreadingHTTPServer | None = None

    @property
    def root(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def endpoint(self) -> str:
        return f"{self.root}/v1/logs"

    def start(self) -> None:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.asked += 1
                status, headers, answer = collector.verdicts.pop(0) if collector.verdicts else TAKEN
                if status == 200:
                    collector.taken.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def records(self) -> list[dict[str, Any]]:
        """The records that were taken, in order."""
        return [json.loads(record["body"]["stringValue"]) for record in self.log_records()]

    def log_records(self) -> list[dict[str, Any]]:
        return [
            record
            for _, _, body in self.taken
            for resource in json.loads(body)["resourceLogs"]
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]

    def spans(self) -> "list[Span]":
        """The spans that were taken, as the protocol's own definition reads them."""
        found = []
        for path, headers, body in self.taken:
            assert path == "/v1/traces"
            assert headers["content-type"] == "application/x-protobuf"
            raw = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
            for resource in ExportTraceServiceRequest.FromString(raw).resource_spans:
                pod = values_of(resource.resource.attributes)
                found += [Span(span, pod) for scope in resource.scope_spans for span in scope.spans]
        return found


@dataclass
class Span:
    raw: Any
    pod: dict[str, Any]
    """Attributes of who sent it."""

    @property
    def attributes(self) -> dict[str, Any]:
        return values_of(self.raw.attributes)

    @property
    def seconds(self) -> float:
        return (self.raw.end_time_unix_nano - self.raw.start_time_unix_nano) / 1e9


def values_of(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@contextmanager
def running_collector(directory: Path, start: Callable[[Collector], None] = Collector.start) -> Iterator[Collector]:
    certificate, key = make_certificate(directory)
    collector = Collector(certificate, key, free_ports(1)[0])
    start(collector)
    try:
        yield collector
    finally:
        collector.stop()
