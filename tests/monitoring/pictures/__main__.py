"""`make pictures`: panels of the dashboard "Viridian / Model", from an hour of real pods, in docs/images/dashboards.

Each panel's own query is asked of a real Prometheus, and what it answers is drawn in the panel's unit; a panel that has
nothing to show of this model is left out. Grafana, which this project cannot run, draws other lines of the same values.
"""

import asyncio
import re
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.component.harness.binaries import REPOSITORY
from tests.monitoring.pictures.backfill import PastHour
from tests.monitoring.pictures.drawing import Drawn, Mark, Series, draw
from tests.monitoring.pictures.hour import CHOSEN, SCRAPE, WARM, record

from viridian.monitoring.dashboards.boards import boards
from viridian.monitoring.dashboards.panels import Board, Panel

PICTURES = REPOSITORY / "docs" / "images" / "dashboards"
ROWS = ("Users", "Revisions", "Predictions", "Pods")
MINUTES = 60
STEP = 30
_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def main() -> int:
    """Record the hour, and draw it."""
    begin = float(int(time.time()) // 3600 * 3600 - 7200)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = folder / "hour.om"
        asyncio.run(record(folder / "pods", samples, begin, MINUTES))
        (folder / "prometheus").mkdir()
        board = boards()["model"]
        with PastHour(folder / "prometheus", samples, begin - WARM * 60, begin + MINUTES * 60) as hour:
            marks = list(_marks(hour, board, begin))
            for row in board.rows:
                if row.title in ROWS:
                    drawn = (_drawn(hour, panel, begin) for panel in row.panels)
                    panels = [each for each in drawn if each.series]
                    text = draw(f"{board.title}: {row.title}", panels, 60 * MINUTES, marks)
                    PICTURES.mkdir(parents=True, exist_ok=True)
                    (PICTURES / f"{row.title.lower()}.svg").write_text(text)
    return 0


def _drawn(hour: PastHour, panel: Panel, begin: float) -> Drawn:
    found = [
        Series(_named(query.legend, labels), [(at - begin, value) for at, value in points])
        for query in panel.queries
        for labels, points in hour.lines(_chosen(query.expr), begin, STEP)
        if points
    ]
    return Drawn(panel, found)


def _marks(hour: PastHour, board: Board, begin: float) -> list[Mark]:
    """The first moment of each stretch in which an annotation's query has a sample."""
    found = []
    for annotation in board.annotations:
        for labels, points in hour.lines(_chosen(annotation.expr), begin, SCRAPE):
            times = [at for at, _ in points]
            starts = [at for at, before in zip(times, [0.0, *times], strict=False) if at - before > SCRAPE]
            found += [Mark(at - begin, _named(annotation.title, labels)) for at in starts]
    return found


def _chosen(expr: str) -> str:
    return expr.replace("$namespace", CHOSEN["model_namespace"]).replace("$model", CHOSEN["model"])


def _named(legend: str, labels: Mapping[str, str]) -> str:
    return _LABEL.sub(lambda found: labels.get(found[1], ""), legend)


if __name__ == "__main__":
    sys.exit(main())
