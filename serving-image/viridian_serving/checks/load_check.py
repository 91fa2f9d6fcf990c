"""The load check: an objective at a rate or with so many clients, and the highest rate that keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from viridian_serving.checks.golden import Golden
from viridian_serving.checks.load import (
    LEAST,
    MOST,
    Measured,
    Objective,
    Trial,
    highest,
    lowest_failing,
    measured,
    milliseconds,
    next_rate,
)
from viridian_serving.checks.sending import Post, at_rate, by_clients

_WARM_UP: Final = 20
"""Requests one after the other, before anything is measured: the search begins at half the rate that one client has."""
_LONGEST_TRIAL: Final = 30.0
_FEWEST: Final = 100
"""Requests below which there is no p99 to speak of."""
_LATE: Final = 0.25
"""Share of the objective's p99 that the sender itself may be late, before that is said."""


@dataclass(frozen=True)
class LoadPlan:
    """What is asked of the load check."""

    objective: Objective
    requests: int
    """How many are sent at the rate, or by the clients."""
    rate: float | None = None
    """Requests a second that must keep the objective; None looks for the highest only."""
    clients: int | None = None
    """In place of a rate: clients that each wait for their answers."""
    trial: float = 3.0
    """Seconds for which each rate is tried in the search."""
    least: float = LEAST
    most: float = MOST
    """Requests a second between which the highest rate is looked for."""


@dataclass
class LoadReport:
    """What was found."""

    lines: list[str] = field(default_factory=list)
    """Sentences."""
    faults: list[str] = field(default_factory=list)
    """What is not kept, one sentence each."""
    highest: float | None = None
    """Requests a second that keep the objective; None where that was not looked for, or none was found."""


async def check_load(post: Post, questions: Sequence[Golden], plan: LoadPlan) -> LoadReport:
    """Send requests, and hold what is measured against the objective.

    Args:
        post: Sends one.
        questions: What is asked, in turns; one or more.
        plan: How much, and the objective.

    Returns:
        What was found.
    """
    report = LoadReport()
    warm = measured(await by_clients(post, questions, 1, _WARM_UP))
    if warm.failed:
        report.faults.append(f"load: {next(iter(warm.errors))}; nothing was measured")
        return report
    if plan.clients is not None:
        found = measured(await by_clients(post, questions, plan.clients, plan.requests))
        _judge(report, found, plan, f"{plan.clients} client{'s' if plan.clients > 1 else ''} at once")
        return report
    trials = []
    if plan.rate is not None:
        found = measured(await at_rate(post, questions, plan.rate, plan.requests))
        _judge(report, found, plan, f"{plan.rate:,.4g} requests a second")
        trials = [Trial(plan.rate, found.fault(plan.objective, plan.rate) is None)]
        if report.faults and plan.least >= plan.rate:
            return report
    await _search(post, questions, plan, trials, report, warm)
    return report


def _judge(report: LoadReport, found: Measured, plan: LoadPlan, what: str) -> None:
    report.lines.append(f"{what}: {_figures(found)}")
    if fault := found.fault(plan.objective, plan.rate or 0.0):
        report.faults.append(f"load, {what}: {fault}")
    if found.lateness > _LATE * plan.objective.p99:
        report.lines.append(
            f"the sender was up to {milliseconds(found.lateness)} late itself, which is in these times: end what else "
            "runs on this machine, or ask for less"
        )


async def _search(
    post: Post, questions: Sequence[Golden], plan: LoadPlan, trials: list[Trial], report: LoadReport, warm: Measured
) -> None:
    last: Measured | None = None
    why = ""
    while (rate := next_rate(trials, 0.5 / max(warm.p50, 1e-4), plan.least, plan.most)) is not None:
        count = int(min(max(rate * plan.trial, _FEWEST), rate * _LONGEST_TRIAL)) or 1
        found = measured(await at_rate(post, questions, rate, count))
        fault = found.fault(plan.objective, rate)
        if fault is None:
            last = found if rate >= (highest(trials) or 0.0) else last
        elif rate <= (lowest_failing(trials) or rate):
            why = fault
        trials.append(Trial(rate, fault is None))
    report.highest = highest(trials)
    if report.highest is None:
        report.faults.append(
            f"load: no rate of {plan.least:,.3g} requests a second or more keeps the objective ({why})"
        )
        return
    figures = f" ({_figures(last)})" if last else ""
    above = f"; {high:,.0f} do not: {why}" if (high := lowest_failing(trials)) and why else ""
    report.lines.append(f"highest rate that keeps it: {report.highest:,.0f} requests a second{figures}{above}")


def _figures(found: Measured) -> str:
    return (
        f"p50 {milliseconds(found.p50)}, p99 {milliseconds(found.p99)}, {found.failed} of {found.requests} requests "
        "failed"
    )
