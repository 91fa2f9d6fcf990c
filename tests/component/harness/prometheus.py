"""A real Prometheus that scrapes the scripted target."""

import json
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from . import binaries
from .processes import Server, free_port, start
from .scripted_target import ScriptedTarget
from .waiting import eventually

SCRAPE_INTERVAL = 1


class Prometheus:
    """A running Prometheus.

    Attributes:
        url: Where it listens.
        scrape_interval: Seconds between two scrapes.
        target: What it scrapes.
    """

    scrape_interval = SCRAPE_INTERVAL

    def __init__(self, folder: Path) -> None:
        """Start it and its target, with everything that it writes in this folder."""
        self.target = ScriptedTarget(SCRAPE_INTERVAL)
        self._folder = folder
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._server: Server | None = None
        (folder / "prometheus.yml").write_text(
            yaml.safe_dump(
                {
                    "global": {"scrape_interval": f"{SCRAPE_INTERVAL}s", "scrape_timeout": f"{SCRAPE_INTERVAL}s"},
                    "scrape_configs": [
                        {"job_name": "serving-pods", "static_configs": [{"targets": [self.target.address]}]}
                    ],
                }
            )
        )
        try:
            self.start()
        except BaseException:
            self.target.stop()
            raise

    def start(self) -> None:
        """Start the server; again, after `kill`, on the same data."""
        server = start(
            "prometheus",
            [
                binaries.prometheus(),
                f"--config.file={self._folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
            ],
            self._folder / "prometheus.log",
        )
        self._server = server
        try:
            server.wait_until(lambda: bool(self.query("up == 1")))
        except BaseException:
            server.stop()
            raise

    def kill(self) -> None:
        """End the server at once; `start` brings it back."""
        if self._server:
            self._server.kill()

    def stop(self) -> None:
        """End the server and its target."""
        if self._server:
            self._server.stop()
        self.target.stop()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query; none when Prometheus does not answer."""
        question = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/query?{question}", timeout=5) as answer:  # noqa: S310  # noqa: S310
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
                return found
        except OSError:
            return []

    def wait_for_scrape(self) -> None:
        """Wait until what the target shows now has been scraped and can be asked for."""
        seen = self.target.scrapes
        # The page of the next scrape may still be the one of this interval, and an answered scrape is not yet stored.
        eventually(lambda: self.target.scrapes >= seen + 3, "Prometheus to scrape three times", within=10)
