"""Draws rows of a dashboard as SVG: each panel's lines in its unit, as Grafana would."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate, pairwise

from viridian.monitoring.dashboards.panels import Kind, Panel, Unit

WIDTH, COLUMNS, MARGIN = 1200, 24, 12
LEFT, RIGHT, TOP, PLOT, FOOT = 62, 24, 34, 130, 44
"""Around the lines of a panel, and their height."""
LEGEND_LINE, LETTER = 17, 6.6
HEADING = 40
MARKS = 4
"""Lines across a panel, at most."""
SIZES = (1, 2, 2.5, 5, 10)
COLORS = ("#4078c0", "#d1782a", "#40826d", "#a0559c", "#c9374c", "#8a7a1f", "#3c9dab", "#7d7d86")
STYLE = """
svg { font: 11px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
text { fill: #1f2328; } .soft { fill: #59636e; } .title { font-weight: 600; font-size: 13px; }
.card { fill: #ffffff; stroke: #d0d7de; } .grid { stroke: #e7ebef; } .mark { stroke: #4078c0; stroke-dasharray: 3 3; }
.line { fill: none; stroke-width: 1.5; stroke-linejoin: round; } .area { fill-opacity: 0.25; stroke: none; }
@media (prefers-color-scheme: dark) {
 text { fill: #e6edf3; } .soft { fill: #9198a1; } .card { fill: #0d1117; stroke: #30363d; } .grid { stroke: #21262d; }
}
"""
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB")
_ENDS = {Unit.PER_SECOND: " req/s", Unit.EACH_SECOND: " /s", Unit.NUMBER: ""}

Point = tuple[float, float]
"""Seconds since the beginning of the picture, and a value."""


@dataclass(frozen=True)
class Series:
    """One line of a panel."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Drawn:
    """A panel and what its queries gave."""

    panel: Panel
    series: Sequence[Series]


@dataclass(frozen=True)
class Mark:
    """A moment that is marked in every panel: an annotation of the dashboard."""

    at: float
    title: str


def amount(unit: Unit, value: float) -> str:
    """Return a value with its unit, as a panel's axis has it."""
    if unit is Unit.SHARE:
        return f"{_short(100 * value)} %"
    if unit is Unit.SECONDS:
        return f"{_short(value)} s" if abs(value) >= 1 or value == 0 else f"{_short(1000 * value)} ms"
    if unit is Unit.BYTES:
        power = _power(value)
        return f"{_short(value / 1024**power)} {_BINARY[power]}"
    return f"{_short(value)}{_ENDS[unit]}"


def draw(title: str, row: Sequence[Drawn], seconds: float, marks: Sequence[Mark]) -> str:
    """Return a picture of a row.

    Args:
        title: What the picture shows, for its head.
        row: Its panels, in the order of the dashboard.
        seconds: How long a time it shows.
        marks: Annotations.
    """
    parts, y, x, deepest = [], HEADING, 0, 0
    for each in row:
        if x + each.panel.width > COLUMNS:
            x, y, deepest = 0, y + deepest, 0
        cell = _Cell(each, x * WIDTH / COLUMNS, y, each.panel.width * WIDTH / COLUMNS, seconds, marks)
        parts += cell.draw()
        x, deepest = x + each.panel.width, max(deepest, cell.height)
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + deepest}" role="img" aria-labelledby="t">',
        f'<title id="t">{escape(title)}: {escape(", ".join(each.panel.title for each in row))}</title>',
        f"<style>{STYLE}</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{y + deepest - 1}" rx="8"/>',
        f'<text class="title" x="{MARGIN}" y="26">{escape(title)}</text>',
    ]
    return "\n".join([*head, *parts, "</svg>"]) + "\n"


def stacked(series: Sequence[Series]) -> list[tuple[Series, list[Point], list[Point]]]:
    """Return each series with the line below it and its own, each on top of those before; a gap adds nothing."""
    times = sorted({at for each in series for at, _ in each.points})
    values = [dict(each.points) for each in series]
    sums = [list(accumulate((each.get(at, 0.0) for each in values), initial=0.0)) for at in times]
    return [
        (
            each,
            [(at, sums[i][number]) for i, at in enumerate(times)],
            [(at, sums[i][number + 1]) for i, at in enumerate(times)],
        )
        for number, each in enumerate(series)
    ]


def ticks(low: float, high: float, unit: Unit = Unit.NUMBER) -> list[float]:
    """Return round values that enclose others, a few of them."""
    if unit is Unit.BYTES:
        size = 1024.0 ** _power(high)
        return [size * value for value in ticks(low / size, high / size)]
    span = high - low or abs(high) or 1.0
    size = 10.0 ** math.floor(math.log10(span / MARKS))
    step = next(each * size for each in SIZES if each * size * MARKS >= span * (1 - 1e-9))
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [round(number * step, 12) for number in range(first, last + 1)]


class _Cell:
    """One panel at its place."""

    def __init__(self, drawn: Drawn, x: float, y: float, width: float, seconds: float, marks: Sequence[Mark]) -> None:
        self._drawn, self._x, self._y, self._seconds, self._marks = drawn, x + MARGIN / 2, y, seconds, marks
        self._width = width - MARGIN
        self._stack = stacked(drawn.series) if drawn.panel.kind is Kind.STACK else []
        lines = [line for _, _, line in self._stack] or [each.points for each in drawn.series]
        values = [value for line in lines for _, value in line]
        low = min(values, default=0.0) if drawn.panel.signed else 0.0
        self._ticks = ticks(min(0.0, low), max(values, default=1.0), drawn.panel.unit)
        self._legend = list(self._placed())
        self.height = TOP + PLOT + FOOT + LEGEND_LINE * (self._legend[-1][1] if self._legend else 0)

    def draw(self) -> Iterator[str]:
        """Yield its parts."""
        panel, right = self._drawn.panel, self._x + self._width - RIGHT
        yield f'<text class="title" x="{self._x + 8:.0f}" y="{self._y + 20:.0f}">{escape(panel.title)}</text>'
        for value in self._ticks:
            y = self._at(0, value)[1]
            yield f'<path class="grid" d="M{self._x + LEFT:.0f} {y:.1f}H{right:.0f}"/>'
            text = escape(amount(panel.unit, value))
            yield f'<text class="soft" x="{self._x + LEFT - 6:.0f}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        foot = self._y + TOP + PLOT
        for minute in range(0, int(self._seconds / 60) + 1, 15):
            x = self._at(60 * minute, 0)[0]
            yield f'<text class="soft" x="{x:.0f}" y="{foot + 16:.0f}" text-anchor="middle">{minute} min</text>'
        for mark in self._marks:
            x = self._at(mark.at, 0)[0]
            upright = f"M{x:.1f} {self._y + TOP:.0f}V{foot:.0f}"
            yield f'<path class="mark" d="{upright}"><title>{escape(mark.title)}</title></path>'
        yield from self._areas() if self._stack else self._lines()
        if not self._drawn.series:
            middle = self._x + (LEFT + self._width) / 2
            yield f'<text class="soft" x="{middle:.0f}" y="{foot - PLOT / 2:.0f}" text-anchor="middle">no data</text>'
        for number, (x, line) in enumerate(self._legend):
            y, name = foot + FOOT - 8 + LEGEND_LINE * line, self._drawn.series[number].name
            yield f'<rect x="{x:.0f}" y="{y - 8:.0f}" width="9" height="9" rx="2" fill="{_color(number)}"/>'
            yield f'<text x="{x + 13:.0f}" y="{y:.0f}">{escape(name)}</text>'

    def _placed(self) -> Iterator[tuple[float, int]]:
        """Where the entries of the legend are: x, and the line."""
        x, line = self._x + 8, 0
        for each in self._drawn.series:
            width = 22 + LETTER * len(each.name)
            if x + width > self._x + self._width and x > self._x + 8:
                x, line = self._x + 8, line + 1
            yield x, line
            x += width

    def _lines(self) -> Iterator[str]:
        for number, each in enumerate(self._drawn.series):
            yield f'<path class="line" stroke="{_color(number)}" d="{self._path(each.points)}"/>'

    def _areas(self) -> Iterator[str]:
        for number, (_, below, line) in enumerate(self._stack):
            if line == below:
                continue  # it is nowhere, and would hide the line below it
            around = "L".join(self._place(*point) for point in (*line, *below[::-1]))
            yield f'<path class="area" fill="{_color(number)}" d="M{around}Z"/>'
            yield f'<path class="line" stroke="{_color(number)}" d="{self._path(line)}"/>'

    def _path(self, points: Sequence[Point]) -> str:
        """Return the commands of a line; where samples are missing, it is interrupted."""
        steps = [later - at for (at, _), (later, _) in pairwise(points)]
        usual = min((abs(step) for step in steps), default=0.0)
        begins = [number == 0 or abs(steps[number - 1]) > 1.5 * usual for number in range(len(points))]
        return "".join(("M" if new else "L") + self._place(*point) for new, point in zip(begins, points, strict=True))

    def _place(self, seconds: float, value: float) -> str:
        x, y = self._at(seconds, value)
        return f"{x:.0f} {y:.1f}"

    def _at(self, seconds: float, value: float) -> Point:
        width, (low, high) = self._width - LEFT - RIGHT, (self._ticks[0], self._ticks[-1])
        x = self._x + LEFT + seconds / self._seconds * width
        return x, self._y + TOP + PLOT * (1 - (value - low) / (high - low))


def _power(value: float) -> int:
    return min(int(math.log2(value) // 10), len(_BINARY) - 1) if value >= 1 else 0


def _color(number: int) -> str:
    return COLORS[number % len(COLORS)]


def _short(value: float) -> str:
    """Return a number in three digits, with a letter for thousands."""
    for end, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.3g}{end}"
    return f"{value:.3g}"
