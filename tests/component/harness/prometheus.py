"""Real Prometheus servers, one of them with the scripted target."""

import json
import signal
import urllib.parse
from pathlib import Path
from typing import Any, Self

import yaml
from tests.ports import free_port
from tests.waiting import eventually

from .binaries import tool
from .loopback import open_url
from .processes import Server, start
from .scripted_target import ScriptedTarget

SCRAPE_INTERVAL = 1


class PrometheusServer:
    """A running Prometheus.

    Attributes:
        url: Where it listens.
    """

    def __init__(self, folder: Path, configuration: dict[str, Any], *flags: str) -> None:
        """Start it, with everything that it writes in this folder."""
        self._folder, self._flags = folder, flags
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._server: Server | None = None
        (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server; again, after `kill`, on the same data."""
        server = start(
            "prometheus",
            [
                tool("prometheus"),
                f"--config.file={self._folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                *self._flags,
            ],
            self._folder / "prometheus.log",
        )
        self._server = server
        try:
            server.wait_until(self._serves)
        except BaseException:
            server.stop()
            raise

    def kill(self) -> None:
        """End the server at once; `start` brings it back."""
        if self._server:
            self._server.kill()

    def reload(self) -> None:
        """Let it read its configuration again."""
        if self._server:
            self._server.process.send_signal(signal.SIGHUP)

    @property
    def process(self) -> int:
        """The ID of its process."""
        return self._server.process.pid if self._server else 0

    def stop(self) -> None:
        """End the server."""
        if self._server:
            self._server.stop()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query; none when Prometheus does not answer."""
        question = urllib.parse.urlencode({"query": expression})
        try:
            found: list[dict[str, Any]] = self.get(f"/api/v1/query?{question}")["data"]["result"]
        except OSError:
            return []
        return found

    def get(self, path: str) -> Any:
        """The JSON that it answers at a path."""
        with open_url(f"{self.url}{path}") as answer:
            return json.load(answer)

    def _serves(self) -> bool:
        return bool(self.query("vector(1)"))


class Prometheus(PrometheusServer):
    """A running Prometheus that scrapes the scripted target.

    Attributes:
        scrape_interval: Seconds between two scrapes.
        target: What it scrapes.
    """

    scrape_interval = SCRAPE_INTERVAL

    def __init__(self, folder: Path) -> None:
        """Start it and its target, with everything that it writes in this folder."""
        self.target = ScriptedTarget(SCRAPE_INTERVAL)
        configuration = {
            "global": {"scrape_interval": f"{SCRAPE_INTERVAL}s", "scrape_timeout": f"{SCRAPE_INTERVAL}s"},
            "scrape_configs": [
                {
                    "job_name": "serving-pods",
                    "static_configs": [{"targets": [self.target.address]}],
                    # As a scrape that discovers pods adds it: each pod lives in its model's namespace.
                    "metric_relabel_configs": [{"source_labels": ["model_namespace"], "target_label": "namespace"}],
                }
            ],
        }
        try:
            super().__init__(folder, configuration)
        except BaseException:
            self.target.stop()
            raise

    def stop(self) -> None:
        """End the server and its target."""
        super().stop()
        self.target.stop()

    def wait_for_scrape(self) -> None:
        """Wait until what the target shows now has been scraped and can be asked for."""
        seen = self.target.scrapes
        # The page of the next scrape may still be the one of this interval, and an answered scrape is not yet stored.
        eventually(lambda: self.target.scrapes >= seen + 3, "Prometheus to scrape three times")

    def _serves(self) -> bool:
        return bool(self.query("up == 1"))


class LabelProxy:
    """A running prom-label-proxy, which shows a query only the series of the namespace it is asked for.

    Attributes:
        url: Where it listens.
    """

    def __init__(self, folder: Path, upstream: str) -> None:
        """Start it before a Prometheus, with its log in this folder."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        listen = f"-insecure-listen-address=127.0.0.1:{port}"
        self._server = start(
            "prom-label-proxy",
            [tool("prom-label-proxy"), listen, f"-upstream={upstream}", "-label=namespace"],
            folder / "prom-label-proxy.log",
        )

    def __enter__(self) -> Self:
        self._server.wait_until(self._answers)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def _answers(self) -> bool:
        question = urllib.parse.urlencode({"query": "vector(1)", "namespace": "any"})
        try:
            with open_url(f"{self.url}/api/v1/query?{question}"):
                return True
        except OSError:
            return False
