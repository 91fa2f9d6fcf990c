"""All dashboards."""

from collections.abc import Mapping

from . import fleet, model, operator, telemetry
from .panels import Board


def boards() -> Mapping[str, Board]:
    """Return the dashboards, by the name of their file."""
    return {
        "fleet": fleet.board(),
        "model": model.board(),
        "operator": operator.board(),
        "telemetry": telemetry.board(),
    }
