"""A forecast as data for programs, and as text for people. Loads rich, which is only needed to print."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rich.table import Table
from rich.text import Text

from viridian.api.checks import Checks
from viridian.api.rollout import Approval
from viridian.api.spec import ModelDeploymentSpec
from viridian.guards.sentences import percent
from viridian.rollout.reporting.cost import Amount
from viridian_shared.durations import format_duration, parse_duration
from viridian_shared.words import whole_percent

from .capacity import widest
from .many import Ending, Forecast, Range
from .play import World
from .power import blind_spot
from .walk import Rules

_BAR = 50
_PROMOTED, _BACK, _EXPIRED = "█", "▓", "░"
_SELDOM = 0.05
_REGRESSIONS = (1.5, 2.0, 5.0)


@dataclass(frozen=True)
class Plan:
    """A forecast with what it was made from.

    Attributes:
        name: Of the model.
        world: What was assumed.
        assumed: Which of that was not given or measured, in words.
        rollouts: How many of each candidate were played.
        seed: Of the draws.
        forecasts: For each candidate.
        cost: What the model's pods cost for an hour today; None where that is not known.
    """

    name: str
    world: World
    assumed: tuple[str, ...]
    rollouts: int
    seed: int
    forecasts: Sequence[Forecast]
    cost: Amount | None = None

    def data(self) -> dict[str, Any]:
        """Return the plan for programs; times in seconds."""
        capacity = widest(self.world.spec)
        return {
            "model": self.name,
            "version": self.world.spec.model.version,
            "requestsPerMinute": self.world.rpm,
            "errorRate": self.world.stable.errors,
            "assumed": list(self.assumed),
            "rollouts": self.rollouts,
            "seed": self.seed,
            "candidates": [_data(each) for each in self.forecasts],
            "widest": {"pods": capacity.pods, "cpu": capacity.cpu},
            "cost": {"perHour": self.cost.value, "currency": self.cost.currency} if self.cost else None,
            "notes": list(self.notes()),
        }

    def table(self) -> Table:
        """Return a line for each candidate; it fits into 80 columns."""
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
        for header in ("CANDIDATE", "PROMOTED", "AFTER", "BACK", "AFTER", "EXPIRED", "REQUESTS", "FAILED"):
            table.add_column(header, no_wrap=True, justify="left" if header == "CANDIDATE" else "right")
        for each in self.forecasts:
            table.add_row(
                each.candidate.name,
                whole_percent(each.promoted.chance),
                _times(each.promoted),
                whole_percent(each.turned_back.chance),
                _times(each.turned_back),
                whole_percent(each.expired.chance),
                _numbers(each.requests),
                _numbers(each.failed),
            )
        return table

    def bars(self) -> Table:
        """Return how each candidate ends as a bar, with a legend."""
        table = Table(box=None, pad_edge=False, show_header=False)
        for each in self.forecasts:
            table.add_row(each.candidate.name, _bar(each))
        legend = (
            (f"{_PROMOTED} promoted  ", "green"),
            (f"{_BACK} turned back  ", "red"),
            (f"{_EXPIRED} expired", "yellow"),
        )
        table.add_row("", Text.assemble(*legend))
        return table

    def notes(self) -> Iterator[str]:
        """Yield sentences: what was assumed, the deadline, pods and processors, and what this traffic cannot show."""
        stable = (
            f"{self.world.rpm:,.0f} requests a minute, of which {percent(self.world.stable.errors)} fail with stable"
        )
        yield f"Played {self.rollouts} rollouts of each candidate over {stable}."
        if self.assumed:
            yield f"Assumed, because nothing was given or measured: {'; '.join(self.assumed)}."
        yield _deadline(self.world, self.forecasts[0])
        yield from _beside(self.world)
        yield _capacity(self.world.spec)
        if self.cost is not None:
            yield _cost(self.cost, self.forecasts)
        yield from _blind_spots(self.world)


def _deadline(world: World, best: Forecast) -> str:
    spec = world.spec
    limit = parse_duration(spec.rollout.deadline)
    took = best.promoted.seconds
    if took is None or best.expired.chance > _SELDOM:
        return (
            f"The deadline of {spec.rollout.deadline} is too short: even a healthy candidate expires in"
            f" {whole_percent(best.expired.chance)} of the rollouts; raise rollout.deadline, or see what the steps wait"
            " for with `kubectl viridian lint --rpm`."
        )
    waited = world.approval if any(Rules.of(spec).gates) else 0.0  # a person's time does not count
    rest = f"{_long(limit.total_seconds() - (took.high - waited))} to spare"
    return f"The deadline of {spec.rollout.deadline} fits: a healthy candidate has {rest}."


def _beside(world: World) -> Iterator[str]:
    """What else there is to wait for, and what of it is not played."""
    spec = world.spec
    if spec.rollout.approval is Approval.WITHOUT_FALLBACK:
        yield "Only a candidate that stable cannot answer for waits for an approval: none is played."
    elif any(Rules.of(spec).gates):
        said = f"comes after {_long(world.approval)}, which is in these times" if world.approval else "is given at once"
        yield f"The approval (rollout.approval: {spec.rollout.approval}) {said}; --approval says how long it takes."
    if any(step.shadow for step in spec.rollout.steps):
        yield "In shadow steps copies are taken to be answered as by stable, unless they fail or are slow."
    if names := spec.checks.names_with(smoke=True):  # as the chart installs the operator
        yield (
            f"Checks before any traffic ({', '.join(names)}) {_check_times(spec.checks)}. Their time comes"
            " on top, and counts for the deadline. How likely they find a bad one is not known: here they find none."
        )


def _check_times(checks: Checks) -> str:
    """How long checks take, as far as it is known, as the end of a sentence."""
    times = []
    if checks.load is not None:
        times.append(f"the load is sent for {_long(checks.load.requests / checks.load.rate)}")
    times += [f"{job.name} may take {job.timeout}" for job in checks.jobs]
    return f"take seconds, but {' and '.join(times)}" if times else "take seconds"


def _capacity(spec: ModelDeploymentSpec) -> str:
    capacity = widest(spec)
    cpu = f", which request {capacity.cpu:g} CPU" if capacity.cpu is not None else "; their CPU is not requested"
    return f"At its widest the rollout runs {capacity.pods} pods of both versions{cpu}."


def _cost(hour: Amount, forecasts: Sequence[Forecast]) -> str:
    """What the second color costs: never more than stable's pods do, since the cheaper one counts as on top."""
    longest = {
        "promoted": [each.promoted.seconds.high for each in forecasts if each.promoted.seconds],
        "turned back": [each.turned_back.seconds.high for each in forecasts if each.turned_back.seconds],
        "expired": [each.expired.seconds.high for each in forecasts if each.expired.seconds],
    }
    most = [
        f"{Amount(hour.value * max(seconds) / 3600, hour.currency)} until it is {ending}"
        for ending, seconds in longest.items()
        if seconds
    ]
    return f"Stable's pods cost {hour} an hour. The candidate's cost up to as much on top: {', '.join(most)}."


def _blind_spots(world: World) -> Iterator[str]:
    """What the comparison with stable cannot show; of several, the clearest regression says most."""
    errors = world.stable.errors
    if not errors:
        yield "Stable has no errors, so that a candidate's first few are compared with nothing: give --error-rate."
        return
    said = ""
    for times in _REGRESSIONS:
        sentence = blind_spot(world.spec, world.rpm, errors, times)
        if sentence and sentence != said:
            yield sentence
        said = sentence


def _data(forecast: Forecast) -> dict[str, Any]:
    return {
        "name": forecast.candidate.name,
        "errorRate": forecast.candidate.behavior.errors,
        "slowdown": forecast.candidate.behavior.slowdown,
        "promoted": _ending(forecast.promoted),
        "turnedBack": _ending(forecast.turned_back),
        "expired": _ending(forecast.expired),
        "requests": _range(forecast.requests),
        "failed": _range(forecast.failed),
        "failedBeyondStable": round(forecast.extra, 1),
    }


def _ending(ending: Ending) -> dict[str, Any]:
    return {"chance": round(ending.chance, 4), "seconds": None if ending.seconds is None else _range(ending.seconds)}


def _range(found: Range) -> dict[str, float]:
    return {"p5": round(found.low), "p50": round(found.middle), "p95": round(found.high)}


def _times(ending: Ending) -> str:
    if ending.seconds is None:
        return "-"
    low, high = _long(ending.seconds.low), _long(ending.seconds.high)
    return low if low == high else f"{low}-{high}"


def _numbers(found: Range) -> str:
    return f"{found.low:,.0f}-{found.high:,.0f}" if found.low != found.high else f"{found.low:,.0f}"


def _long(seconds: float) -> str:
    """A duration: to the minute above ten of them, to the second below."""
    unit = 60 if seconds >= 600 else 1
    return format_duration(timedelta(seconds=unit * round(seconds / unit)))


def _bar(forecast: Forecast) -> Text:
    """How often it ends how, as parts of a bar: promoted green, turned back red, expired yellow."""
    promoted = round(_BAR * forecast.promoted.chance)
    back = min(_BAR - promoted, round(_BAR * forecast.turned_back.chance))
    expired = _BAR - promoted - back
    parts = ((_PROMOTED * promoted, "green"), (_BACK * back, "red"), (_EXPIRED * expired, "yellow"))
    return Text.assemble(*parts)
