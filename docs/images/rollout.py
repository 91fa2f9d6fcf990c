"""Draws the picture of a rollout from what `make demo` saw.

dev/python.sh docs/images/rollout.py build/demo-timeline.json build/demo-report.json > docs/images/rollout.svg
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WIDTH, LEFT, RIGHT = 880, 58, 862
TOP, BOTTOM = 92, 312
LANE = 348
LEAD, TAIL = 8.0, 13.0
"""Seconds to show before the second version was applied, and after the last change."""
KINDS = ("first", "good", "bad")
LABELS = {
    "Starting": "start",
    "Finishing": "drain",
    "RollingBack": "drain",
    "RolledBack": "rolled back",
    "Stable": "stable",
    "Expired": "expired",
    "Held": "held",
}

LIGHT = {
    **{"card": "#ffffff", "edge": "#d0d7de", "ink": "#1f2328", "soft": "#59636e", "grid": "#e7ebef"},
    **{"first": "#b3c0cd", "good": "#40826d", "bad": "#c9374c", "on": "#ffffff", "onfirst": "#1f2328"},
}
DARK = {
    **{"card": "#0d1117", "edge": "#30363d", "ink": "#e6edf3", "soft": "#9198a1", "grid": "#21262d"},
    **{"first": "#4a5a6b", "good": "#3f8f78", "bad": "#f06a7a", "on": "#ffffff", "onfirst": "#e6edf3"},
}
"""Viridian is the good one's color."""


def colors(theme: dict[str, str]) -> str:
    """The rules of a theme; without variables, which not every viewer of SVG knows."""
    fills = {".card": "card", "text": "ink", ".soft": "soft", ".first": "first", ".good": "good", ".bad": "bad"}
    fills |= {"text.on": "on", "text.onfirst": "onfirst"}
    strokes = {".card": "edge", ".grid": "grid", ".mark": "soft", ".lane": "soft", ".lead": "on"}
    return " ".join(
        [f"{name} {{ fill: {theme[key]}; }}" for name, key in fills.items()]
        + [f"{name} {{ stroke: {theme[key]}; }}" for name, key in strokes.items()]
    )


STYLE = f"""
svg {{ font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }}
.small {{ font-size: 12px; }} .title, .on, .onfirst {{ font-weight: 600; }}
.mark {{ stroke-dasharray: 3 3; fill: none; }} .lane {{ fill: none; }}
.area {{ shape-rendering: crispEdges; }} .lead {{ fill: none; stroke-width: 1.5; }}
{colors(LIGHT)}
@media (prefers-color-scheme: dark) {{ {colors(DARK)} }}
"""


@dataclass(frozen=True)
class Span:
    """A stretch of time in which nothing changed."""

    start: float
    end: float
    value: Any


def spans(changes: list[tuple[float, Any]], end: float) -> Iterator[Span]:
    """Turns changes into stretches, joining equal neighbours."""
    joined: list[tuple[float, Any]] = []
    for at, value in changes:
        if not joined or joined[-1][1] != value:
            joined.append((at, value))
    for (start, value), (stop, _) in zip(joined, [*joined[1:], (end, None)], strict=True):
        yield Span(start, stop, value)


def version_of(statuses: list[dict[str, Any]], color: str, at: float) -> str | None:
    """The version that a color runs at a moment: the role that names the color nearest to it."""
    named = [
        (abs(seen["at"] - at), role["version"])
        for seen in statuses
        for role in (seen["status"]["candidate"], seen["status"]["stable"])
        if role and role["color"] == color
    ]
    return min(named)[1] if named else None


def label(status: dict[str, Any]) -> str:
    """What the lane below the picture says of a status."""
    step = status["step"]
    if status["phase"] in {"Progressing", "Baking"}:
        if not step:
            return "stable"
        return "bake" if step == "bake" else step.replace("step ", "").replace(" of ", "/")
    return LABELS.get(status["phase"], status["phase"])


class Picture:
    """The drawing."""

    def __init__(self, timeline: dict[str, Any], report: dict[str, Any]) -> None:
        self.report = report
        self.routes, self.statuses = timeline["routes"], timeline["statuses"]
        starts = [seen["at"] for seen in self.statuses if seen["status"]["phase"] == "Starting"]
        self.applied = [at for at, before in zip(starts, [0.0, *starts], strict=False) if at - before > 10]
        self.zero = self.applied[1]
        self.start, self.end = self.zero - LEAD, self.statuses[-1]["at"] + TAIL
        self.versions = ["v1", report["promoted_version"], report["rolled_back_version"]]

    def x(self, at: float) -> float:
        """Where a moment is."""
        at = min(max(at, self.start), self.end)
        return round(LEFT + (at - self.start) / (self.end - self.start) * (RIGHT - LEFT), 1)

    def y(self, share: float) -> float:
        """Where a share of the traffic is; 0 % is at the bottom."""
        return round(BOTTOM - share / 100 * (BOTTOM - TOP), 1)

    def shares(self) -> list[Span]:
        """Who got which share of the traffic, when."""
        found = []
        for seen in self.routes:
            shares = dict.fromkeys(KINDS, 0)
            for color, weight in seen["weights"].items():
                version = version_of(self.statuses, color, seen["at"])
                if weight and version in self.versions:
                    shares[KINDS[self.versions.index(version)]] += weight
            found.append((seen["at"], shares))
        return list(spans(found, self.end))

    def draw(self) -> str:
        """The whole picture."""
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 420" role="img" aria-labelledby="t d">',
            '<title id="t">A good version is promoted, a bad one is rolled back</title>',
            f'<desc id="d">{self.description()}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="419" rx="8"/>',
            *self.scale(),
            *self.areas(),
            *self.lane(),
            *self.remarks(),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def description(self) -> str:
        """The picture in words, for those who do not see it."""
        weights = ", ".join(f"{weight} %" for weight in self.report["weights_seen"] if weight)
        return (
            f"Share of the traffic over time. Weights of the candidates in order: {weights}. "
            f"{self.versions[1]} was promoted after {self.report['promotion_seconds']:.0f} seconds; "
            f"{self.versions[2]} was rolled back {self.report['seconds_first_bad_response_to_100_stable']:.1f} seconds "
            "after its first failed answer."
        )

    def scale(self) -> Iterator[str]:
        """Axes and grid."""
        yield f'<text x="{LEFT}" y="30" class="title">Share of the traffic in the gateway\'s route</text>'
        for share in (0, 25, 50, 75, 100):
            y = self.y(share)
            yield f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}"/>'
            yield f'<text class="soft small" x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{share} %</text>'
        for second in range(0, int(self.end - self.zero - 2), 10):
            x = self.x(self.zero + second)
            yield f'<line class="grid" x1="{x}" x2="{x}" y1="{BOTTOM}" y2="{BOTTOM + 5}"/>'
            yield f'<text class="soft small" x="{x}" y="{BOTTOM + 20}" text-anchor="middle">{second} s</text>'

    def areas(self) -> Iterator[str]:
        """Who has how much: stacked, the candidate on top, so that it comes down from above."""
        for span in self.shares():
            if span.end <= self.start:
                continue
            base = 0
            for kind in KINDS if not span.value["bad"] else ("first", "good", "bad"):
                share = span.value[kind]
                if share:
                    x, width = self.x(span.start), round(self.x(span.end) - self.x(span.start), 1)
                    y, height = self.y(base + share), round(self.y(base) - self.y(base + share), 1)
                    yield f'<rect class="area {kind}" x="{x}" y="{y}" width="{width}" height="{height}"/>'
                base += share
        yield from self.names()

    def names(self) -> Iterator[str]:
        """What stands in the areas: the versions, and the candidate's weight at each step."""
        first = [span for span in self.shares() if span.value["first"] and span.end > self.start]
        middle = round((self.x(first[1].start) + self.x(first[1].end)) / 2, 1)
        yield f'<text class="onfirst" x="{middle}" y="{self.y(45)}" text-anchor="middle">{self.versions[0]}</text>'
        promoted = self.zero + self.report["promotion_seconds"]
        middle = round((self.x(promoted) + self.x(self.applied[2])) / 2, 1)
        yield f'<text class="on" x="{middle}" y="{self.y(45)}" text-anchor="middle">{self.versions[1]}</text>'
        for span in first[1:]:
            middle = round((self.x(span.start) + self.x(span.end)) / 2, 1)
            y = self.y(100) + 17
            yield f'<text class="on" x="{middle}" y="{y}" text-anchor="middle">{span.value["good"]} %</text>'

    def lane(self) -> Iterator[str]:
        """The phases below."""
        changes = [(seen["at"], label(seen["status"])) for seen in self.statuses if seen["status"]["phase"]]
        yield f'<text class="soft small" x="{LEFT - 8}" y="{LANE + 17}" text-anchor="end">status</text>'
        for span in spans(changes, self.end):
            if span.end <= self.start:
                continue
            x, width = self.x(span.start), self.x(span.end) - self.x(span.start)
            yield f'<rect class="lane" x="{x}" y="{LANE}" width="{round(width, 1)}" height="25" rx="3"/>'
            if width > 6 * len(span.value):
                yield (
                    f'<text class="small" x="{round(x + width / 2, 1)}" y="{LANE + 17}" text-anchor="middle">'
                    f"{span.value}</text>"
                )

    def remarks(self) -> Iterator[str]:
        """What happened, in words."""
        good, bad = self.applied[1], self.applied[2]
        for at, version in ((good, self.versions[1]), (bad, self.versions[2])):
            x = self.x(at)
            yield f'<line class="mark" x1="{x}" x2="{x}" y1="{TOP - 20}" y2="{TOP}"/>'
            yield f'<text class="small" x="{x}" y="{TOP - 26}" text-anchor="middle">{version} applied</text>'
        x = self.x(good + self.report["promotion_seconds"])
        yield f'<line class="mark" x1="{x}" x2="{x}" y1="{TOP - 20}" y2="{TOP}"/>'
        yield f'<text class="small" x="{x}" y="{TOP - 26}" text-anchor="middle">{self.versions[1]} promoted</text>'
        back = next(span.end for span in self.shares() if span.value["bad"])
        seconds = self.report["seconds_first_bad_response_to_100_stable"]
        x = self.x(back)
        yield f'<path class="lead" d="M{x + 3} {self.y(95)} H{x + 16}"/>'
        y = self.y(95) + 4
        yield f'<text class="on" x="{x + 22}" y="{y}">{self.versions[2]} with 10 %:</text>'
        yield f'<text class="on" x="{x + 22}" y="{y + 18}">rolled back {seconds:.1f} s after</text>'
        yield f'<text class="on" x="{x + 22}" y="{y + 36}">its first failed answer</text>'
        total, failed = self.report["requests_total"], self.report["requests_failed_client"]
        rescued = self.report["requests_rescued"]
        yield (
            f'<text class="soft small" x="{LEFT}" y="402">One run of "make demo" on two cores: {total:,} requests '
            f"through the gateway, {failed} failed; {rescued} that {self.versions[2]} failed were answered by "
            f"{self.versions[1]}. A scrape every 2 s.</text>"
        )


def main() -> None:
    """Read both files, write the picture to stdout."""
    timeline, report = (json.loads(Path(name).read_text()) for name in sys.argv[1:3])
    sys.stdout.write(Picture(timeline, report).draw())


if __name__ == "__main__":
    main()
