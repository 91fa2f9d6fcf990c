"""From a metric to a person: real Prometheus with the chart's rules, real Alertmanager, and what it would call."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.component.alerts.promtool import RULES
from tests.component.harness.binaries import TOOLCHAIN
from tests.component.harness.loopback import open_url
from tests.component.harness.processes import start
from tests.component.harness.prometheus import PrometheusServer
from tests.ports import free_port
from tests.waiting import eventually


class Loopback(ThreadingHTTPServer):
    """The operator's page of metrics, and the receivers of alerts."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.page = ""
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.address = f"127.0.0.1:{self.server_address[1]}"

    def told(self, receiver: str, status: str) -> list[dict[str, Any]]:
        """The alerts of this status that a receiver got."""
        return [a for name, body in self.received if name == receiver for a in body["alerts"] if a["status"] == status]


class _Handler(BaseHTTPRequestHandler):
    server: Loopback

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(self.server.page.encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append((self.path.strip("/"), body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with Loopback() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def alertmanager(loopback: Loopback, tmp_path: Path) -> Iterator[str]:
    program = subprocess.run([TOOLCHAIN / "alertmanager.sh"], stdout=subprocess.PIPE, text=True, check=True).stdout
    waits = {"group_wait": "1s", "group_interval": "1s", "repeat_interval": "1h"}
    # As docs/guides/monitoring.md has it.
    critical = {"matchers": ['severity="critical"', 'alertname=~"Viridian.+"'], "receiver": "on-call"}
    receivers = [
        {"name": name, "webhook_configs": [{"url": f"http://{loopback.address}/{name}", "send_resolved": True}]}
        for name in ("office", "on-call")
    ]
    route = {"receiver": "office", "group_by": ["alertname"], "routes": [critical], **waits}
    configuration = tmp_path / "alertmanager.yml"
    configuration.write_text(yaml.safe_dump({"route": route, "receivers": receivers}))
    port = free_port()
    server = start(
        "alertmanager",
        [
            program.strip(),
            f"--config.file={configuration}",
            f"--storage.path={tmp_path / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        tmp_path / "alertmanager.log",
    )
    try:
        server.wait_until(lambda: _ready(port))
        yield f"127.0.0.1:{port}"
    finally:
        server.stop()


def test_critical_alerts_wake_people_and_warnings_do_not(loopback: Loopback, alertmanager: str, tmp_path: Path) -> None:
    # given the chart's alerts, each as soon as its condition holds
    rules = tmp_path / "alerts.yaml"
    text = (RULES / "alerts.yaml").read_text().replace("interval: 30s", "interval: 1s")
    rules.write_text(re.sub(r"^ +(keep_firing_)?for: .*\n", "", text, flags=re.MULTILINE))
    configuration = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "rule_files": [str(rules)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [{"job_name": "operator", "static_configs": [{"targets": [loopback.address]}]}],
    }
    # when guards are not evaluated, and the queue is long
    loopback.page = "viridian_operator_tick_age_seconds 600\nviridian_operator_queue_oldest_seconds 600\n"
    with PrometheusServer(tmp_path, configuration):
        # then those on call are told of the first, with its runbook
        eventually(lambda: loopback.told("on-call", "firing"), "somebody on call to be told")
        [alert] = loopback.told("on-call", "firing")
        assert alert["labels"] == {"alertname": "ViridianGuardsNotEvaluated", "severity": "critical"}
        assert alert["annotations"]["runbook_url"].endswith("/ViridianGuardsNotEvaluated.md")
        assert "10m 0s ago" in alert["annotations"]["description"]
        # and the office of the second
        eventually(lambda: loopback.told("office", "firing"), "the office to be told")
        assert {a["labels"]["alertname"] for a in loopback.told("office", "firing")} == {"ViridianOperatorBehind"}

        # when guards are evaluated again, then they are told of that too
        loopback.page = "viridian_operator_tick_age_seconds 1\nviridian_operator_queue_oldest_seconds 600\n"
        eventually(lambda: loopback.told("on-call", "resolved"), "the end to be told")


def _ready(port: int) -> bool:
    try:
        with open_url(f"http://127.0.0.1:{port}/-/ready"):
            return True
    except OSError:
        return False
