"""A Prometheus of a past hour: recorded scrapes, and what the chart's rules make of them, as blocks of its storage."""

import re
import subprocess
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from tests.component.harness.binaries import tool
from tests.component.harness.prometheus import PrometheusServer

from viridian.monitoring.groups import files
from viridian.monitoring.rule import Group, Recording

Labels = dict[str, str]
Point = tuple[float, float]
_CONFIGURATION = {"global": {"scrape_interval": "1m"}}
_LOOKBACK = 60
"""Seconds beside the interval for which a series is there after its last sample. Storage that is written afterwards has
no marks of where a series has ended, and with Prometheus' five minutes each rule would keep one five minutes longer
than those that it reads.
"""
_NAME = re.compile(r"\b(?:model|revision):[a-z0-9_]+:[a-z0-9_]+")


def levels(groups: Sequence[Group]) -> Iterator[list[Group]]:
    """Return recording rules in an order in which each one reads only those of earlier lists.

    Args:
        groups: With all rules; those of alerts are left out.
    """
    groups = [replace(group, rules=tuple(r for r in group.rules if isinstance(r, Recording))) for group in groups]
    missing = {rule.name for group in groups for rule in group.rules}
    while missing:
        now = [
            replace(group, rules=rules)
            for group in groups
            if (rules := tuple(r for r in group.rules if r.name in missing and not _read(r) & missing))
        ]
        if not now:
            raise ValueError(f"these rules read one another in a circle: {sorted(missing)}")
        yield now
        missing -= {rule.name for group in now for rule in group.rules}


def _read(rule: Recording | Any) -> set[str]:
    return set(_NAME.findall(rule.expr))


def _seen(interval: float) -> str:
    return f"{interval + _LOOKBACK:.0f}s"


class PastHour:
    """A Prometheus whose newest samples are those that were recorded."""

    def __init__(self, folder: Path, samples: Path, begin: float, end: float) -> None:
        """Write the blocks, and start it.

        Args:
            folder: Where it may write.
            samples: A file in the text form of OpenMetrics.
            begin: The first moment that rules are evaluated at, in seconds since 1970.
            end: The last one.
        """
        self._end, self._data = end, folder / "data"
        self._promtool("openmetrics", samples, self._data)
        groups = [group for found in files().values() for group in found]
        self._intervals = {rule.name: group.interval.total_seconds() for group in groups for rule in group.rules}
        for level in levels(groups):
            for group in level:
                # The same file for all parts of a group: its name decides at which seconds they are evaluated.
                file = folder / f"{group.name}.yaml"
                file.write_text(yaml.safe_dump({"groups": [group.manifest()]}))
                flag = f"--query.lookback-delta={_seen(group.interval.total_seconds())}"
                # Each starts anew, since blocks are looked for at the start, and then every minute.
                with PrometheusServer(folder, _CONFIGURATION, flag) as server:
                    span = (f"--start={begin:.0f}", f"--end={end:.0f}", f"--url={server.url}")
                    self._promtool("rules", *span, f"--output-dir={self._data}", file)
        self._server = PrometheusServer(folder, _CONFIGURATION)

    def __enter__(self) -> "PastHour":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def lines(self, expr: str, begin: float, step: float) -> list[tuple[Labels, list[Point]]]:
        """Return labels and points of each series of an expression, from a moment to the end, as a panel asks."""
        between = max((self._intervals[name] for name in _NAME.findall(expr) if name in self._intervals), default=0)
        span = {"query": expr, "start": begin, "end": self._end, "step": step}
        question = urllib.parse.urlencode({**span, "lookback_delta": _seen(between)})
        found = self._server.get(f"/api/v1/query_range?{question}")["data"]["result"]
        return [
            (each["metric"], [(float(at), float(value)) for at, value in each["values"] if value != "NaN"])
            for each in found
        ]

    def _promtool(self, *arguments: str | Path) -> None:
        command = [tool("prometheus").with_name("promtool"), "tsdb", "create-blocks-from", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"promtool could not write blocks: {done.stdout[-2000:]}{done.stderr[-2000:]}")
