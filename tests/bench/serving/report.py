"""What was measured: the rounds joined, the table, and the goals."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import median

OURS = "viridian"
TRITON = "triton"
BEFORE = "before-"
"""How the name of an earlier commit's server begins."""


@dataclass(frozen=True)
class Row:
    """One server under one load."""

    server: str
    connections: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    rss_mib: float
    """Of all its processes at the end of the load."""
    memory: str
    """How that was counted: PSS or RSS."""
    non_2xx: int
    cpu_us_per_prediction: float = 0.0
    """Of all its processes, as user and in the kernel; the client's is not in it."""
    workload: str = "iris"
    spread_percent: float = 0.0
    """Between the slowest round and the fastest, in percent of the median."""


Rows = Sequence[Row]


def joined(rounds: Sequence[Rows]) -> list[Row]:
    """The median of every figure over the rounds, in the order of the first; failed requests are added up."""
    together: dict[tuple[str, str, int], list[Row]] = {}
    for row in chain.from_iterable(rounds):
        together.setdefault((row.server, row.workload, row.connections), []).append(row)
    return [_joined(rows) for rows in together.values()]


def _joined(rows: Rows) -> Row:
    rates = [row.requests_per_second for row in rows]
    middle = median(rates)
    return Row(
        server=rows[0].server,
        connections=rows[0].connections,
        requests_per_second=round(middle, 1),
        p50_ms=round(median(row.p50_ms for row in rows), 3),
        p99_ms=round(median(row.p99_ms for row in rows), 3),
        rss_mib=round(median(row.rss_mib for row in rows), 1),
        memory=rows[0].memory,
        non_2xx=sum(row.non_2xx for row in rows),
        cpu_us_per_prediction=round(median(row.cpu_us_per_prediction for row in rows), 1),
        workload=rows[0].workload,
        spread_percent=round(100 * (max(rates) - min(rates)) / middle, 1) if middle else 0.0,
    )


def table(rows: Rows, configurations: dict[str, str]) -> str:
    """A Markdown table with one line for each server.

    Args:
        rows: Of any number of loads.
        configurations: What is said of each server, by its name.
    """
    loads = sorted({row.connections for row in rows})
    busiest = _busiest(loads)
    memory = next(row.memory for row in rows)
    head = ["server", "configuration", *(f"req/s c={load}" for load in loads)]
    head += [f"CPU µs c={load}" for load in loads]
    head += [f"p50 / p99 ms c={load}" for load in dict.fromkeys((loads[0], busiest))]
    head += [f"{memory} MiB c={busiest}", "spread", "failed"]
    lines = [_line(head), "|" + "---|" * len(head)]
    for server in dict.fromkeys(row.server for row in rows):
        own = {row.connections: row for row in rows if row.server == server}
        cells = [f"`{server}`", configurations[server], *(f"{own[load].requests_per_second:,.0f}" for load in loads)]
        cells += [f"{own[load].cpu_us_per_prediction:.0f}" for load in loads]
        cells += [f"{own[load].p50_ms:.2f} / {own[load].p99_ms:.2f}" for load in dict.fromkeys((loads[0], busiest))]
        cells += [f"{own[busiest].rss_mib:.0f}", f"{max(row.spread_percent for row in own.values()):.0f} %"]
        cells += [str(sum(row.non_2xx for row in own.values()))]
        lines.append(_line(cells))
    return "\n".join(lines)


def _busiest(loads: Sequence[int]) -> int:
    """The load of the goals, or the highest there is."""
    return 32 if 32 in loads else loads[-1]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


# -- goals


@dataclass(frozen=True)
class Goal:
    """Something that is promised of our figures."""

    text: str
    measure: Callable[[Rows], float]
    """Raises LookupError when a row that it needs was not measured."""
    is_met: Callable[[float], bool]
    unit: str


def _figures(rows: Rows, server: str, connections: int, workload: str) -> list[Row]:
    """Those of a server, or of all its configurations where it has several; LookupError where there is none."""
    found = [
        row
        for row in rows
        if (row.workload, row.connections) == (workload, connections)
        and (row.server == server or row.server.startswith(f"{server}-"))
    ]
    if not found:
        raise LookupError(f"{server}, {workload}, {connections} connections")
    return found


def _rate(rows: Rows, server: str, connections: int, workload: str = "iris") -> float:
    return max(row.requests_per_second for row in _figures(rows, server, connections, workload))


def _cpu(rows: Rows, server: str, connections: int) -> float:
    return min(row.cpu_us_per_prediction for row in _figures(rows, server, connections, "iris"))


def _p50(rows: Rows, server: str) -> float:
    return _figures(rows, server, 1, "iris")[0].p50_ms


PYTHON_SERVERS = ("kserve", "mlserver", "bentoml", "fastapi", "litserve", "rayserve")
_AHEAD_OF_TRITON = {1: 0.85, 8: 1.0, 32: 1.3, 64: 1.3}
_FALLS = 0.05
"""Share by which a figure may be worse than an earlier commit's: less than two runs of the same one differ by."""


def _over_triton(load: int, least: float) -> Goal:
    return Goal(
        f"at c = {load}, {least} times as many requests a second as Triton's own endpoint",
        lambda rows: _rate(rows, OURS, load) / _rate(rows, TRITON, load),
        lambda ratio: ratio >= least,
        "times",
    )


def _cheaper(server: str, load: int) -> Goal:
    least = 2.0 if server == "kserve" else 1.0
    return Goal(
        f"at c = {load}, {server} takes {least:g} times the CPU of a prediction, or more",
        lambda rows: _cpu(rows, server, load) / _cpu(rows, OURS, load),
        lambda ratio: ratio >= least,
        "times",
    )


def _worst_against_before(rows: Rows) -> float:
    """The worst ratio to an earlier commit's figures, of requests a second and of CPU, over all that both have."""
    ours = {(row.workload, row.connections): row for row in rows if row.server == OURS}
    pairs = [(ours[row.workload, row.connections], row) for row in rows if row.server.startswith(BEFORE)]
    if not pairs:
        raise LookupError(BEFORE)
    rates = [now.requests_per_second / before.requests_per_second for now, before in pairs]
    return min(rates + [before.cpu_us_per_prediction / now.cpu_us_per_prediction for now, before in pairs])


GOALS = (
    *(_over_triton(load, least) for load, least in _AHEAD_OF_TRITON.items()),
    Goal(
        "at c = 1, the median answer at most 0.15 ms later than Triton's own",
        lambda rows: _p50(rows, OURS) - _p50(rows, TRITON),
        lambda difference: difference <= 0.15,
        "ms",
    ),
    *(_cheaper(server, load) for server in PYTHON_SERVERS for load in (8, 32)),
    Goal(
        "at c = 32, three times the requests a second of KServe",
        lambda rows: _rate(rows, OURS, 32) / _rate(rows, "kserve", 32),
        lambda ratio: ratio >= 3,
        "times",
    ),
    Goal(
        "at c = 8, an image in JSON 1.5 times as often as Triton's own endpoint",
        lambda rows: _rate(rows, OURS, 8, "image-json") / _rate(rows, TRITON, 8, "image-json"),
        lambda ratio: ratio >= 1.5,
        "times",
    ),
    Goal(
        "at c = 32, ranges of 30 columns cost at most 15 % of the requests a second",
        lambda rows: (
            _rate(rows, OURS, 32, "columns") / _figures(rows, OURS, 32, "columns-unchecked")[0].requests_per_second
        ),
        lambda ratio: ratio >= 0.85,
        "times",
    ),
    Goal(
        "no figure more than 5 % worse than the earlier commit's, requests a second and CPU",
        _worst_against_before,
        lambda ratio: ratio >= 1 - _FALLS,
        "times",
    ),
)


@dataclass(frozen=True)
class Verdict:
    """What came of a goal."""

    text: str
    is_met: bool


def judge(rounds: Sequence[Rows]) -> list[Verdict]:
    """Hold the figures against the goals, save those for which a server or a load was left out."""
    return [verdict for goal in GOALS if (verdict := _verdict(goal, rounds)) is not None]


def _verdict(goal: Goal, rounds: Sequence[Rows]) -> Verdict | None:
    values = [value for rows in rounds if (value := _measured(goal, rows)) is not None]
    if not values:
        return None
    # Of ratios within a round, in which the machine was the same for both, rather than the ratio of medians.
    value = median(values)
    met = goal.is_met(value)
    spread = f" ({min(values):.2f} to {max(values):.2f} in {len(values)} rounds)" if len(values) > 1 else ""
    return Verdict(f"{'met' if met else 'MISSED'}: {value:.2f} {goal.unit}{spread}: {goal.text}", met)


def _measured(goal: Goal, rows: Rows) -> float | None:
    try:
        return goal.measure(rows)
    except LookupError:
        return None
