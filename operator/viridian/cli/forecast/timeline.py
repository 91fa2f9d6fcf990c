"""One rollout from start to end: its turns as a table, its weight and its evidence as a plot. Loads rich to print."""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from rich.table import Table

from viridian.guards.sentences import evidence as e_value
from viridian_shared.durations import format_duration

from .behavior import Candidate
from .guard_batch import GuardBatch
from .many import chance
from .play import Moment, World, play
from .walk import Outcome, Rules

WIDTH: Final = 64
"""Columns of the plot, each of which is a moment."""
_HEIGHT: Final = 6
_PARTS: Final = " ▁▂▃▄▅▆▇█"

_ENDS: Final = {
    Outcome.PROMOTED: "promoted",
    Outcome.TURNED_BACK: "turned back by {guard}",
    Outcome.EXPIRED: "expired: the deadline is over, or no request came",
}


@dataclass(frozen=True)
class Timeline:
    """What happened in one rollout.

    Attributes:
        name: Of the model.
        world: What it met.
        candidate: What the new version turned out to be.
        assumed: What was neither given nor measured, in words.
        seed: Of the draws.
        moments: Look by look.
        guards: Their names, in the order of the evidence.
        thresholds: The evidence at which each turns a candidate back.
    """

    name: str
    world: World
    candidate: Candidate
    assumed: tuple[str, ...]
    seed: int
    moments: Sequence[Moment]
    guards: tuple[str, ...]
    thresholds: tuple[float, ...]

    @classmethod
    def play(cls, name: str, world: World, candidate: Candidate, assumed: tuple[str, ...], seed: int) -> "Timeline":
        """Play it.

        Args:
            name: Of the model.
            world: What it meets.
            candidate: What the new version turns out to be.
            assumed: What was neither given nor measured, in words.
            seed: Of the draws.
        """
        moments: list[Moment] = []
        play(world, candidate.behavior, 1, chance(seed, candidate, 0), moments.append)
        batch = GuardBatch(world.config, 1)
        names = [f"{guard.name} (maximum)" for guard in batch.fixed]
        names += [f"{guard.name} (against stable)" for guard in batch.compared]
        return cls(name, world, candidate, assumed, seed, moments, tuple(names), tuple(batch.thresholds))

    def data(self) -> dict[str, Any]:
        """Return it for programs; times in seconds since the rollout began."""
        return {
            "model": self.name,
            "version": self.world.spec.model.version,
            "candidate": self.candidate.name,
            "requestsPerMinute": self.world.rpm,
            "errorRate": self.world.stable.errors,
            "assumed": list(self.assumed),
            "seed": self.seed,
            "outcome": self.moments[-1].outcome.name.title().replace("_", ""),
            "thresholds": dict(zip(self.guards, self.thresholds, strict=True)),
            "moments": [
                {
                    "seconds": round(each.seconds, 3),
                    "step": each.step + 1,
                    "weight": each.weight,
                    "requests": each.requests,
                    "failed": each.failed,
                    "stableRequests": each.stable_requests,
                    "stableFailed": each.stable_failed,
                    "evidence": {
                        name: float(f"{found:.4g}") for name, found in zip(self.guards, each.evidence, strict=True)
                    },
                }
                for each in self.moments
            ],
        }

    def table(self) -> Table:
        """Return a line for each turn that it takes."""
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
        for header in ("AFTER", "WEIGHT", "REQUESTS", "FAILED", "STABLE FAILED", "EVIDENCE"):
            table.add_column(header, no_wrap=True, justify="right")
        table.add_column("WHAT", no_wrap=False)
        for moment, what in self.turns():
            at = self._nearest(moment)
            table.add_row(
                _long(moment.seconds),
                f"{moment.weight} %",
                f"{moment.requests:,}",
                f"{moment.failed:,}",
                f"{moment.stable_failed:,} of {moment.stable_requests:,}",
                f"{e_value(moment.evidence[at])} of {self.thresholds[at]:,.0f}" if at is not None else "-",
                what,
            )
        return table

    def turns(self) -> Iterator[tuple[Moment, str]]:
        """Yield the moments at which something changed, each with what it was."""
        rules, before = Rules.of(self.world.spec, self.world.approval), None
        for moment in self.moments:
            what = self._turn(rules, before, moment)
            if what:
                yield moment, what
            before = moment

    def _turn(self, rules: Rules, before: Moment | None, moment: Moment) -> str:
        steps = len(rules.weights)
        place = "bake" if moment.step == steps - 1 else f"step {moment.step + 1} of {steps - 1}"
        if moment.outcome is not Outcome.RUNNING:
            at = self._nearest(moment)
            return _ENDS[moment.outcome].format(guard="a guard" if at is None else self.guards[at])
        if moment.awaits_approval and not (before and before.awaits_approval):
            return "its hold is over: a person has to approve"
        if before is None or moment.step != before.step:
            copies = rules.copies[moment.step]
            share = f"{100 * copies:g} % of stable's requests are copied to it" if copies else ""
            return f"{place}: {share or f'{rules.weights[moment.step]} % of the requests'}"
        if moment.verified and not before.verified:
            return f"{place}: requests follow, the hold of {_long(float(rules.holds[moment.step]))} begins"
        return ""

    def plot(self) -> Iterator[str]:
        """Yield lines: the weight over time, and the evidence of the guard that is nearest to its threshold."""
        last = self.moments[-1].seconds
        seconds = [each.seconds for each in self.moments]
        columns = [max(0, bisect_right(seconds, last * (at + 1) / WIDTH) - 1) for at in range(WIDTH)]
        shown = [self.moments[column] for column in columns]
        yield from _framed("weight", ("100 %", "0 %"), _rows([each.weight / 100 for each in shown]))
        top = max(self.thresholds, default=1.0)
        yield from _framed("evidence", (f"{top:,.0f}", "none"), _rows([self._share(each) for each in shown]))
        yield f"{'':10}{'0s':<{WIDTH - 8}}{_long(last):>8}"

    def notes(self) -> Iterator[str]:
        """Yield sentences: what was played, and what was assumed."""
        yield (
            f"One rollout of a candidate that is {self.candidate.name}, over {self.world.rpm:,.0f} requests a minute;"
            f" seed {self.seed}. Another seed draws another one, and `plan` says how often each ending is."
        )
        if self.assumed:
            yield f"Assumed, because nothing was given or measured: {'; '.join(self.assumed)}."

    def _nearest(self, moment: Moment) -> int | None:
        """The guard whose evidence is nearest to its threshold."""
        parts = [
            math.log(found) / math.log(least) for found, least in zip(moment.evidence, self.thresholds, strict=True)
        ]
        return max(range(len(parts)), key=parts.__getitem__, default=None)

    def _share(self, moment: Moment) -> float:
        """How far the evidence of that guard is on its way, on a logarithmic scale."""
        at = self._nearest(moment)
        return 0.0 if at is None else math.log(max(1.0, moment.evidence[at])) / math.log(self.thresholds[at])


def _rows(shares: Sequence[float]) -> list[str]:
    """Columns whose heights are shares of 0 to 1, as lines from the top."""
    eighths = [round(min(1.0, max(0.0, share)) * _HEIGHT * 8) for share in shares]
    return ["".join(_PARTS[min(8, max(0, each - 8 * row))] for each in eighths) for row in reversed(range(_HEIGHT))]


def _framed(title: str, ends: tuple[str, str], rows: Sequence[str]) -> Iterator[str]:
    """Lines with a scale before them."""
    labels = [ends[0], title, *[""] * (len(rows) - 3), ends[1]]
    for label, row in zip(labels, rows, strict=True):
        yield f"{label:>8} │{row.rstrip()}"


def _long(seconds: float) -> str:
    return format_duration(timedelta(seconds=round(seconds)))
