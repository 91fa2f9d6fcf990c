"""The OpenTelemetry Collector itself: OTLP by https in, JSON lines in files out."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.component.harness.binaries import tool
from tests.component.harness.processes import Server, start
from tests.ports import free_port
from tests.serving.files import make_certificate


@dataclass
class Sent:
    """A log record or a span, as OTLP writes it in JSON."""

    raw: dict[str, Any]
    resource: dict[str, Any]
    """Attributes of who sent it."""


class OpenTelemetryCollector:
    """A running collector.

    Attributes:
        certificate: The authority that its clients must trust.
    """

    def __init__(self, folder: Path, token: str) -> None:
        """Start it; it takes what comes with this bearer token, and keeps it in this folder."""
        self.certificate, key = make_certificate(folder)
        self._folder = folder
        self._port = free_port()
        self._server: Server | None = None
        tls = {"cert_file": str(self.certificate), "key_file": str(key)}
        http = {"endpoint": f"127.0.0.1:{self._port}", "tls": tls, "auth": {"authenticator": "bearertokenauth"}}
        signals = ("logs", "traces")
        pipelines = {signal: {"receivers": ["otlp"], "exporters": [f"file/{signal}"]} for signal in signals}
        configuration = {
            "extensions": {"bearertokenauth": {"token": token}},
            "receivers": {"otlp": {"protocols": {"http": http}}},
            "exporters": {
                f"file/{signal}": {"path": str(self._file(signal)), "flush_interval": "50ms", "append": True}
                for signal in signals
            },
            "service": {
                "telemetry": {"metrics": {"level": "none"}},
                "extensions": ["bearertokenauth"],
                "pipelines": pipelines,
            },
        }
        (folder / "collector.yaml").write_text(yaml.safe_dump(configuration))
        self.start()

    @property
    def root(self) -> str:
        """Its address, below which each signal has a path."""
        return f"https://localhost:{self._port}"

    def start(self) -> None:
        """Start it; again, after `stop`, at the same address and with what it has got already."""
        configuration = f"file:{self._folder / 'collector.yaml'}"
        command = [tool("otel-collector"), "--config", configuration]
        self._server = start("the collector", command, self._folder / "collector.log")
        self._server.wait_until(self._listens)

    def stop(self) -> None:
        """End it."""
        if self._server:
            self._server.stop()

    def log_records(self) -> list[Sent]:
        """What it has got of logs, in order."""
        return self._received("logs", "resourceLogs", "scopeLogs", "logRecords")

    def spans(self) -> list[Sent]:
        """What it has got of traces."""
        return self._received("traces", "resourceSpans", "scopeSpans", "spans")

    def _received(self, signal: str, resources: str, scopes: str, items: str) -> list[Sent]:
        whole = self._file(signal).read_text().rpartition("\n")[0]  # the last line may be half written
        return [
            Sent(item, attributes(resource["resource"]))
            for line in whole.splitlines()
            for resource in json.loads(line)[resources]
            for scope in resource[scopes]
            for item in scope[items]
        ]

    def _file(self, signal: str) -> Path:
        return self._folder / f"{signal}.jsonl"

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), 1).close()
        except OSError:
            return False
        return True


def attributes(of: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a resource or a span."""
    return {each["key"]: next(iter(each["value"].values())) for each in of.get("attributes", ())}


@contextmanager
def open_telemetry_collector(folder: Path, token: str) -> Iterator[OpenTelemetryCollector]:
    """A collector that runs until the end of the block."""
    running = OpenTelemetryCollector(folder, token)
    try:
        yield running
    finally:
        running.stop()
