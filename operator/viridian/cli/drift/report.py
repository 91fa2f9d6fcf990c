"""Drift for people: a table, and bars on a terminal."""

from collections.abc import Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from viridian.cli import render
from viridian_shared.drift import PRACTICAL

from .variables import Variable

_WIDTH: Final = 30
"""Characters of a bar that is 100 %."""
_NAME: Final = 24


def show(variables: Sequence[Variable], other: str = "", newer: str = "") -> None:
    """Print the table, and on a terminal the bars of what drifts.

    Args:
        variables: In their order.
        other: The version that they are compared with; empty for the baseline.
        newer: The version that served them; empty where it is compared with the baseline.
    """
    console = render.console()
    console.print(table(variables, other))
    for each in variables:
        if each.drifts and console.is_terminal:
            console.print()
            console.print(bars(each, other or "baseline", newer or "served"))


def table(variables: Sequence[Variable], other: str = "") -> Table:
    """Return a line for each variable.

    Args:
        variables: In their order.
        other: The version that they are compared with; empty for the baseline.
    """
    several = len({each.revision for each in variables}) > 1
    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    headers = ("VARIABLE", "KIND", "PSI", "CHANCE", "VALUES", *([f"OF {other}"] if other else []), "WHAT MOVED")
    for header in (*(["REVISION"] if several else []), *headers):
        numeric = header not in ("REVISION", "VARIABLE", "KIND", "CHANCE", "WHAT MOVED")
        shown.add_column(header, justify="right" if numeric else "left", no_wrap=header != "WHAT MOVED")
    for each in variables:
        style = "yellow" if each.drifts else ""
        cells = (
            each.name,
            each.kind,
            f"{each.psi:.2f}",
            "no" if each.is_certain else "possible",
            f"{each.values:,.0f}",
            *([f"{each.rows:,.0f}"] if other else []),
        )
        moved = each.moved() if each.drifts else ""
        shown.add_row(*([each.revision] if several else []), *(Text(cell, style) for cell in (*cells, moved)))
    return shown


def bars(variable: Variable, baseline: str = "baseline", served: str = "served") -> Table:
    """Return a variable's bins, each with its share in the baseline and in what was served.

    Args:
        variable: The variable.
        baseline: How the legend calls what it is compared with.
        served: How it calls what is compared.
    """
    shown = Table(
        box=None, pad_edge=False, show_header=False, title=f"{variable.name}, {variable.revision}", title_justify="left"
    )
    for each in variable.bins:
        for share, mark, name in ((each.baseline, "░", each.name[:_NAME]), (each.served, "█", "")):
            shown.add_row(name, f"{mark * max(round(_WIDTH * share), int(share > 0))} {100 * share:.1f} %")
    shown.add_row("", f"░ {baseline}  █ {served}")
    return shown


def summary(variables: Sequence[Variable]) -> str:
    """Return a sentence on all of them."""
    drifting = sum(each.drifts for each in variables)
    if not drifting:
        return f"None of {len(variables)} drifts: each PSI is below {PRACTICAL}, or what chance may do."
    verb = "drifts" if drifting == 1 else "drift"
    return f"{drifting} of {len(variables)} {verb}: PSI of {PRACTICAL} or more, and no chance."
