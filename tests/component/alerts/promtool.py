"""Scenarios of `scenarios.yaml`, played by Prometheus' own tester of rules."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tests.component.harness.binaries import REPOSITORY, tool

RULES = REPOSITORY / "charts" / "viridian" / "files" / "monitoring" / "rules"
_IDENTITY = {"model_namespace": "ml", "model": "iris", "revision": "iris-1", "pod_uid": "a"}
"""Labels of a series of a pod that names no others."""
_OWN = re.compile(r"^(viridian_(?!operator_)|up$|process_|model:|revision:)")
_SERIES = re.compile(r"^(?P<name>[a-z_:0-9]+)(\{(?P<labels>.*)\})?$")
_LABEL = re.compile(r'([a-z_]+)="([^"]*)"')
_FOUND = re.compile(r'\{alertname="([A-Za-z]+)"[^}]*\} ([0-9.E+]+)')


@dataclass(frozen=True)
class Firing:
    """When an alert fired, in seconds since the beginning."""

    first: float
    last: float


@dataclass(frozen=True)
class Scenario:
    """What Prometheus sees, and which alerts must follow."""

    name: str
    minutes: int
    series: dict[str, str]
    step: str = "1m"
    fires: dict[str, int] = field(default_factory=dict)
    """The alerts, and the minute until which each must have begun to fire."""
    ends: dict[str, int] = field(default_factory=dict)
    """The minute at which an alert must have stopped."""
    rules: tuple[str, ...] = ("recording", "alerts")

    def play(self, folder: Path) -> dict[str, Firing]:
        """Play it, and return the alerts that fired.

        promtool prints what an expression gives when that was not expected; so it is made to tell when alerts fired.
        """
        # The tester evaluates all groups alike: those of days every 5 minutes, as Prometheus does, the others
        # as often as there are new samples.
        look = "1m" if "recording" in self.rules else "5m"
        firing = f'(timestamp(ALERTS{{alertstate="firing"}}))[{self.minutes}m:{look}]'
        questions = [f"{which}_over_time({firing}) + 0.5" for which in ("min", "max")]
        test = {
            "interval": self.step,
            "input_series": [{"series": _whole(name), "values": str(values)} for name, values in self.series.items()],
            "promql_expr_test": [{"expr": text, "eval_time": f"{self.minutes}m"} for text in questions],
        }
        files = [RULES / f"{name}.yaml" for name in self.rules]
        # Each group before those that it reads is the worst that Prometheus does, where groups run beside one
        # another: what they read is older by an interval.
        said = promtool(folder, files[::-1], test, look)
        if not said:
            return {}
        told = [line for line in said.splitlines() if line.strip().startswith("got:")]
        assert len(told) == len(questions), said
        first, last = ([(name, float(value) - 0.5) for name, value in _FOUND.findall(line)] for line in told)
        return {
            name: Firing(min(t for n, t in first if n == name), max(t for n, t in last if n == name))
            for name, _ in first
        }


def promtool(folder: Path, files: Sequence[Path], test: Mapping[str, Any], interval: str = "1m") -> str:
    """What Prometheus' tester objects to in a test of the rules of some files; nothing, if it holds.

    The groups are evaluated in the order of the files, and of each file's own: left alone, the tester takes them in an
    order of chance, and a rule reads now this evaluation of another group, now the one before.
    """
    groups = [group["name"] for file in files for group in yaml.load(file.read_text(), yaml.CSafeLoader)["groups"]]
    whole = {
        "rule_files": [str(file) for file in files],
        "evaluation_interval": interval,
        "group_eval_order": groups,
        "tests": [dict(test)],
    }
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump(whole))
    command = [tool("prometheus").with_name("promtool"), "test", "rules", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def scenarios() -> list[Scenario]:
    """Return the scenarios of the file."""
    text = Path(__file__).with_name("scenarios.yaml").read_text()
    # All of it is text: 0x60, a zero sixty times, would be a number to YAML.
    found: list[dict[str, Any]] = yaml.load(text, yaml.BaseLoader)["scenarios"]  # noqa: S506 - makes only text
    return [_read(entry) for entry in found]


def _read(entry: dict[str, Any]) -> Scenario:
    minutes = {name: int(value) for name, value in entry.items() if name == "minutes"}
    times = {part: {alert: int(minute) for alert, minute in entry.get(part, {}).items()} for part in ("fires", "ends")}
    return Scenario(**entry | minutes | times | {"rules": tuple(entry.get("rules", Scenario.rules))})


def _whole(series: str) -> str:
    """The series with the labels that every series of a pod has."""
    match = _SERIES.fullmatch(series)
    assert match, f"{series} is not a series"
    labels = dict(_LABEL.findall(match["labels"] or ""))
    if _OWN.match(match["name"]):
        level = match["name"].partition(":")[0]
        names = {"model": ("model_namespace", "model"), "revision": tuple(_IDENTITY)[:3]}.get(level, tuple(_IDENTITY))
        labels = {name: _IDENTITY[name] for name in names} | labels
    text = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{match['name']}{{{text}}}"
