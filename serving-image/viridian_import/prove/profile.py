"""Where the time of a prediction goes: by node of the ONNX graph, as ONNX Runtime measures it, and around them."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import onnxruntime

from viridian_import.prove.onnx_side import Array

_CALLS: Final = 300
_KERNEL: Final = "_kernel_time"
_MOST: Final = 10
"""Nodes that the table lists."""


@dataclass(frozen=True)
class Node:
    """One node; or what is left over."""

    name: str
    operator: str
    microseconds: float
    """Of a call."""


@dataclass(frozen=True)
class Profile:
    """A call with one row."""

    total: float
    """Microseconds, as the median."""
    nodes: tuple[Node, ...]
    """The slowest first."""

    def table(self) -> str:
        """Return it as lines of columns."""
        listed = list(self.nodes[:_MOST])
        if rest := self.nodes[_MOST:]:
            listed.append(Node(f"({len(rest)} more)", "", sum(node.microseconds for node in rest)))
        around = max(0.0, self.total - sum(node.microseconds for node in self.nodes))
        listed.append(Node("(around the nodes)", "", around))
        width = max(len(node.name) for node in listed)
        return "\n".join(
            f"          {node.name:<{width}}  {node.operator:<24} {node.microseconds:9.1f} µs "
            f"{100 * node.microseconds / self.total if self.total else 0:5.1f} %"
            for node in listed
        )


def profile(file: Path, feeds: Mapping[str, Array], scratch: Path) -> Profile:
    """Run a model with one row, many times, and measure each node.

    Measuring has a price: the total is more than the figure of speed.

    Args:
        file: The ONNX file.
        feeds: A row, as the model takes it.
        scratch: A folder for ONNX Runtime's own file.

    Returns:
        What a call takes.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_profiling = True
    options.profile_file_prefix = str(scratch / "profile")
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    for _ in range(_CALLS):
        session.run(None, dict(feeds))
    events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return profile_of(events)


def profile_of(events: Iterable[Mapping[str, Any]]) -> Profile:
    """Sum up the events of ONNX Runtime's profile, by their medians: a machine that is busy makes some calls long."""
    calls: list[float] = []
    times: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        name = str(event.get("name", ""))
        if name == "model_run":
            calls.append(event["dur"])
        elif name.endswith(_KERNEL):
            times[name.removesuffix(_KERNEL), str(event["args"]["op_name"])].append(event["dur"])
    nodes = [Node(name, operator, median(spent)) for (name, operator), spent in times.items()]
    return Profile(median(calls) if calls else 0.0, tuple(sorted(nodes, key=lambda node: -node.microseconds)))
