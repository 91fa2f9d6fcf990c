"""Reads from Prometheus what the operator says of cost, and what pods have answered; no recording rules are needed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from viridian.api.model_key import labels_of
from viridian.cli.prometheus import query, value_of
from viridian.rollout.reporting.cost import STEP, Amount, by_color, on_top, read_amount
from viridian_shared.counts.metric_names import ANSWERED, COST_PER_HOUR


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
    of = labels_of((namespace, name))
    now = f"max by (revision, version, color, currency) ({COST_PER_HOUR}{{{of}}})"
    spent = f"sum by (revision) (sum_over_time(({now})[1h:{STEP}s])) * {STEP} / 3600"
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


def rollout_cost(prometheus: str, namespace: str, name: str, begun: datetime, ended: datetime) -> Amount | None:
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
    return read_amount(query(prometheus, on_top((namespace, name), begun, ended)))


def model_cost(prometheus: str, namespace: str, name: str) -> Amount | None:
    """Read what a model's pods cost for an hour: those of one color, the dearer one while a rollout runs.

    Args:
        prometheus: Its address, such as http://127.0.0.1:9090.
        namespace: Of the model.
        name: Of the model.

    Returns:
        The amount; None where the installation has no prices, or the model no pods.

    Raises:
        CannotMeasure: Prometheus does not answer.
    """
    return read_amount(query(prometheus, f"max by (currency) ({by_color((namespace, name))})"))


def _label(sample: Any, name: str) -> str:  # noqa: ANN401 - what Prometheus sends
    return str(sample["metric"].get(name, ""))
