"""The live view: what the rollout does, in colors on a terminal and in plain lines elsewhere."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .metrics import Traffic
from .records import Totals
from .timeline import COLORS, Condition, Role, Status, Timeline

EXPECTED = {"Ready": "True", "Available": "True", "RollbackReady": "True"}
"""How conditions stand when all is well; those not named are False then."""


@dataclass
class Picture:
    """Everything there is to see."""

    timeline: Timeline
    started_at: float
    stage: str = ""
    totals: Totals = field(default_factory=Totals)
    traffic: dict[str, Traffic] = field(default_factory=dict)
    metrics_problem: str = ""

    def role(self, color: str) -> tuple[str, Role | None]:
        """What a color is for now: stable, candidate or nothing."""
        status = self.timeline.status
        for name, role in (("stable", status.stable), ("candidate", status.candidate)):
            if role and role.color == color:
                return name, role
        return "", None


class Screen(Protocol):
    """Where the picture is shown."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def say(self, text: str) -> None:
        """Add a line that stays."""

    def show(self, picture: Picture) -> None:
        """Show the picture as it is now."""


def make_screen(console: Console) -> Screen:
    """A live view on a terminal, plain lines where the output is a file or a pipe."""
    return LiveScreen(console) if console.is_terminal else PlainScreen(console)


def remarkable(status: Status) -> list[Condition]:
    """The conditions that are not as they are when all is well."""
    return [one for one in status.conditions if one.status != EXPECTED.get(one.type, "False")]


def headline(picture: Picture) -> str:
    """Phase and step in words."""
    status = picture.timeline.status
    return ", ".join(part for part in (status.phase or "no status yet", status.step) if part)


def _percentile(traffic: Traffic | None) -> str:
    return "-" if traffic is None or traffic.p95 is None else f"{traffic.p95 * 1000:.0f} ms"


class PlainScreen:
    """One line for every change, as a log wants it."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.time) -> None:
        self._console = console
        self._clock = clock
        self._shown: tuple[object, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def say(self, text: str) -> None:
        """Add a line that stays."""
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)

    def show(self, picture: Picture) -> None:
        """Print a line if anything changed that is worth one."""
        status = picture.timeline.status
        conditions = tuple((one.type, one.status, one.reason) for one in remarkable(status))
        weights = tuple(picture.timeline.weights.items())
        key = (headline(picture), weights, status.hold, conditions, picture.metrics_problem)
        if key == self._shown:
            return
        self._shown = key
        parts = [headline(picture), *(self._color(picture, color) for color in COLORS)]
        totals = picture.totals
        parts.append(f"{totals.requests} requests, {totals.failed} failed, {totals.rescued} answered by stable instead")
        parts.extend(text for text in (status.verdict, status.hold, picture.metrics_problem) if text)
        self.say(f"[{self._clock() - picture.started_at:6.1f} s] " + " | ".join(parts))

    @staticmethod
    def _color(picture: Picture, color: str) -> str:
        name, role = picture.role(color)
        weight = picture.timeline.weights.get(color, 0)
        return f"{color} {role.version} ({name}) {weight} %" if role else f"{color} {weight} %"


class LiveScreen:
    """A panel that is redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        """Add a line that stays."""
        self._live.console.print(text, highlight=False, soft_wrap=True, markup=False)

    def show(self, picture: Picture) -> None:
        """Redraw the panel."""
        self._live.update(draw(picture), refresh=True)


def draw(picture: Picture) -> RenderableType:
    """The whole panel."""
    status = picture.timeline.status
    parts: list[RenderableType] = [Text(headline(picture), style="bold"), Text(), _colors(picture), Text()]
    if status.verdict:
        parts.append(Text(f"Verdict: {status.verdict}"))
    parts.extend(Text(f"  {guard}", style="dim") for guard in status.guards)
    if status.hold:
        parts.append(Text(f"Waiting: {status.hold}", style="yellow"))
    parts.extend(Text(str(condition), style="yellow") for condition in remarkable(status))
    if picture.metrics_problem:
        parts.append(Text(picture.metrics_problem, style="red"))
    parts += [Text(), _clients(picture)]
    elapsed = time.time() - picture.started_at
    return Panel(Group(*parts), title=picture.stage, subtitle=f"{elapsed:.0f} s", title_align="left")


def _colors(picture: Picture) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column("traffic", ratio=1)
    for heading in ("", "pods", "requests", "errors", "P95"):
        table.add_column(heading, justify="right", no_wrap=True)
    for color in COLORS:
        name, role = picture.role(color)
        weight = picture.timeline.weights.get(color, 0)
        traffic = picture.traffic.get(role.revision) if role else None
        table.add_row(
            Text(color, style=f"bold {color}"),
            f"{role.version} {name}" if role else "-",
            ProgressBar(completed=weight, style="grey23", complete_style=color, finished_style=color),
            f"{weight} %",
            f"{role.ready}/{role.replicas}" if role else "-",
            str(traffic.requests) if traffic else "-",
            Text(str(traffic.errors), style="bold red" if traffic.errors else "") if traffic else "-",
            _percentile(traffic),
        )
    return table


def _clients(picture: Picture) -> Text:
    totals = picture.totals
    text = Text(f"Clients: {totals.requests} requests, ")
    text.append(f"{totals.failed} failed", style="bold red" if totals.failed else "green")
    if totals.failures:
        text.append(" (" + ", ".join(f"{count} x {kind}" for kind, count in totals.failures.most_common()) + ")")
    if totals.rescued:
        text.append(f"; {totals.rescued} that a candidate failed were answered by stable")
    for version in sorted(totals.by_version):
        accuracy = totals.accuracy(version)
        if version and accuracy is not None:
            text.append(f"; {version} right in {accuracy:.1%}")
    return text
