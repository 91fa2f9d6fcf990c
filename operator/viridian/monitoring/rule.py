"""The rules of Prometheus, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from textwrap import dedent
from typing import Any, Final

from viridian_shared.durations import format_duration

RUNBOOKS: Final = "https://viridian.dev/docs/runbooks"
"""Where runbooks are; the chart puts its value `monitoring.rules.runbookUrl` in its place."""
MODEL_NAME: Final = "{{ $labels.model_namespace }}/{{ $labels.model }}"
"""How alerts name the model."""


class Severity(StrEnum):
    """How soon somebody must look."""

    WARNING = "warning"
    """In working hours."""
    CRITICAL = "critical"
    """Now: users are affected, or will be if anything else fails."""


@dataclass(frozen=True)
class Recording:
    """A series that Prometheus computes once, for alerts and dashboards to read."""

    name: str
    """As `level:metric:operation`."""
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def manifest(self) -> dict[str, Any]:
        """Return the rule as it stands in a file."""
        rule: dict[str, Any] = {"record": self.name, "expr": dedent(self.expr).strip()}
        return rule | ({"labels": dict(self.labels)} if self.labels else {})


@dataclass(frozen=True)
class Alert:
    """A condition that somebody is told of."""

    name: str
    severity: Severity
    expr: str
    summary: str
    """One line, with the labels in it."""
    description: str
    """What happened and what follows from it, with the value in it."""
    after: timedelta = timedelta()
    """How long the condition must hold."""
    keep: timedelta = timedelta()
    """How long the alert stays after the condition has ended."""

    def manifest(self) -> dict[str, Any]:
        """Return the rule as it stands in a file."""
        rule: dict[str, Any] = {"alert": self.name, "expr": dedent(self.expr).strip()}
        if self.after:
            rule["for"] = format_duration(self.after)
        if self.keep:
            rule["keep_firing_for"] = format_duration(self.keep)
        return rule | {
            "labels": {"severity": self.severity.value},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{RUNBOOKS}/{self.name}.md",
            },
        }


@dataclass(frozen=True)
class Group:
    """Rules that are evaluated one after the other, at one interval."""

    name: str
    interval: timedelta
    rules: tuple[Recording | Alert, ...]

    def manifest(self) -> dict[str, Any]:
        """Return the group as it stands in a file."""
        return {
            "name": self.name,
            "interval": format_duration(self.interval),
            "rules": [rule.manifest() for rule in self.rules],
        }
