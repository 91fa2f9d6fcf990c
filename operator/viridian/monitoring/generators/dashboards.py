"""The chart's dashboards: `python -m viridian.monitoring.generators.dashboards`; `--check` fails if they differ."""

import sys

from viridian.api.generators import generated
from viridian.monitoring.dashboards.boards import boards
from viridian.monitoring.dashboards.grafana import render
from viridian.monitoring.dashboards.panels import Board

MODULE = "viridian.monitoring.generators.dashboards"
FOLDER = "charts/viridian/files/monitoring/dashboards"


def _renderer(board: Board) -> generated.Render:
    return lambda: render(board)


FILES: dict[str, generated.Render] = {f"{FOLDER}/{name}.json": _renderer(board) for name, board in boards().items()}

if __name__ == "__main__":
    sys.exit(generated.main(MODULE, FILES))
