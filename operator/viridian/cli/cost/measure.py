"""Reads from Prometheus what the operator says of cost, and what pods have answered; no recording rules are needed."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from viridian.cli.prometheus import query, value_of
from viridian_shared.counts.metric_names import ANSWERED, COST_PER_HOUR

_STEP: Final = 60
"""Seconds between two values that are added up."""


@dataclass(frozen=True)
class Amount:
    """Money."""

    value: float
    currency: str

    def __str__(self) -> str:
        """To the cent, or to three digits of what is less than one."""
        value = f"{self.value:,.2f}" if abs(self.value) >= 1 else f"{self.value:.3g}"
        return f"{value} {self.currency}".rstrip()


@dataclass(frozen=True)
class RevisionCost:
    """What a revision that has pods costs."""

    revision: str
    version: str
    color: str
    hour: Amount
    thousand: Amount | None
    """For 1,000 predictions of the last hour; None where there were none."""

    def __str__(self) -> str:
        """In a line for people."""
        each = f", {self.thousand} for 1,000 predictions of the last hour" if self.thousand else ", no predictions"
        return f"{self.version} ({self.revision}, {self.color}): {self.hour} an hour{each}"

    def data(self) -> dict[str, Any]:
        """For programs."""
        return {
            "revision": self.revision,
            "version": self.version,
            "color": self.color,
            "currency": self.hour.currency,
            "perHour": self.hour.value,
            "per1000": self.thousand.value if self.thousand else None,
        }


def costs(prometheus: str, namespace: str, name: str) -> list[RevisionCost]:
    """Read what each revision of a model costs.

    Args:
        prometheus: Its address, such as http://127.0.0.1:9090.
        namespace: Of the model.
        name: Of the model.

    Returns:
        Those that have pods; none where the installation has no prices.

    Raises:
        CannotMeasure: Prometheus does not answer.
    """
    of = _of(namespace, name)
    now = f"max by (revision, version, color, currency) ({COST_PER_HOUR}{{{of}}})"
    spent = f"sum by (revision) (sum_over_time(({now})[1h:{_STEP}s])) * {_STEP} / 3600"
    answered = f"sum by (revision) (increase({ANSWERED}{{{of}}}[1h]))"
    hours = query(prometheus, now)
    if not hours:
        return []
    thousands = {_label(each, "revision"): value_of(each) for each in query(prometheus, f"1000 * {spent} / {answered}")}
    return [
        RevisionCost(
            revision := _label(each, "revision"),
            _label(each, "version"),
            _label(each, "color"),
            Amount(value_of(each), currency := _label(each, "currency")),
            Amount(thousands[revision], currency) if thousands.get(revision) else None,
        )
        for each in sorted(hours, key=lambda each: _label(each, "revision"))
    ]


def on_top(prometheus: str, namespace: str, name: str, begun: datetime, ended: datetime) -> Amount | None:
    """Read what the second color cost while a rollout ran: the cheaper one, at each moment.

    Args:
        prometheus: Its address, such as http://127.0.0.1:9090.
        namespace: Of the model.
        name: Of the model.
        begun: When the rollout began.
        ended: When it was over.

    Returns:
        The amount; None where nothing is known of that time.

    Raises:
        CannotMeasure: Prometheus does not answer.
    """
    colors = (
        f"sum by (color, currency) (max by (revision, color, currency) ({COST_PER_HOUR}{{{_of(namespace, name)}}}))"
    )
    extra = f"sum by (currency) ({colors}) - max by (currency) ({colors})"
    seconds = max(_STEP, round((ended - begun).total_seconds()))
    found = query(
        prometheus,
        f"sum_over_time(({extra})[{seconds}s:{_STEP}s] @ {ended.timestamp():.0f}) * {_STEP} / 3600",
    )
    return Amount(value_of(found[0]), _label(found[0], "currency")) if found else None


def _of(namespace: str, name: str) -> str:
    return f"model_namespace={json.dumps(namespace)},model={json.dumps(name)}"


def _label(sample: Any, name: str) -> str:  # noqa: ANN401 - what Prometheus sends
    return str(sample["metric"].get(name, ""))
