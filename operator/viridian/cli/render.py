"""Text for people: trees, tables and bars. Loads rich, which is only needed to print."""

import math
import shutil
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from viridian.rollout.reporting.cost import Amount
from viridian_shared.words import count

from .drill import stage_line, summary
from .model import Json, Model, called, read_time

if TYPE_CHECKING:
    from .cost.measure import RevisionCost

_BAR = 20
_PLAIN_WIDTH = 120
"""Columns where there is no terminal to ask."""
_ENDINGS = 3
_GOOD = {"Promoted", "Restored", "Stable", "Watching", "Healthy", "Passed"}
_BAD = {"RolledBack", "Expired", "GuardBreached", "Breach", "Failed", "RevisionLost"}


def console() -> Console:
    """Where text goes: with colors and bars on a terminal, plain else."""
    width = None if sys.stdout.isatty() else shutil.get_terminal_size((_PLAIN_WIDTH, 24)).columns
    return Console(highlight=False, width=width, soft_wrap=False)


def status_tree(model: Model, now: datetime, *, bars: bool, costs: "Sequence[RevisionCost]" = ()) -> RenderableType:
    """Return where a rollout stands: roles, step, checks, guards, and how earlier ones ended."""
    root = Tree(Text.assemble((model.name, "bold"), f" in {model.namespace}: ", _colored(model.phase)))
    root.add(Text(_sentence(model.state)))
    for role, found in (("stable", model.stable), ("candidate", model.candidate), ("control", model.control)):
        if found:
            root.add(_role(role, found, bars=bars))
    if watch := model.status.get("watch"):
        root.add(Text(f"watched for {_ago(watch['since'], now)} since its promotion"))
    step = model.status.get("step") or {}
    if step:
        root.add(_step(step, now))
    hold = model.status.get("hold")
    if (shadow := model.status.get("shadow")) and (hold or not step.get("shadow")):  # else the first line has it
        root.add(Text(f"shadow: {shadow}"))
    if hold:
        root.add(Text(f"held for {_ago(hold['since'], now)}: {hold['reason']}", style="yellow"))
    _branch(root, "checks", [_check(check) for check in model.status.get("checks") or []])
    _branch(root, "guards", [_guard(guard, bars=bars) for guard in model.guards])
    if power := model.status.get("power"):
        root.add(Text(power))
    if drill := model.status.get("drill"):
        _branch(root, "drills", list(_drills(drill)))
    _branch(root, "cost", [Text(str(each)) for each in costs])
    _branch(root, "last rollouts", [_ended(entry) for entry in model.history[:_ENDINGS]])
    return root


def _drills(drill: Json) -> Iterator[Text]:
    if line := stage_line(drill):
        yield Text(line)
    if waits := drill.get("waits"):
        yield Text(f"the one that is due waits: {waits}", style="yellow")
    if last := drill.get("last"):
        text = f"last ({last['endedAt']}): {summary(last)}"
        yield Text(text, style="" if last["result"] == "Passed" else "yellow")
    if due := drill.get("next"):
        yield Text(f"next: {due}")


def models_table(models: list[Model], *, everywhere: bool) -> RenderableType:
    """Return one line for each model."""
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    headers = ["NAME", "PHASE", "STABLE", "CANDIDATE", "WEIGHT", "STEP", "MESSAGE"]
    headers = ["NAMESPACE", *headers] if everywhere else headers
    rows = [_row(model, everywhere=everywhere) for model in models]
    for index, header in enumerate(headers):
        if header == "MESSAGE":  # the rest of the line
            table.add_column(header, no_wrap=True, overflow="ellipsis", ratio=1)
        else:
            table.add_column(header, no_wrap=True, min_width=max(len(header), *(len(row[index]) for row in rows)))
    for row in rows:
        table.add_row(*row)
    return table


def _row(model: Model, *, everywhere: bool) -> list[Text]:
    candidate, step = model.candidate, model.status.get("step") or {}
    return [
        *([Text(model.namespace)] if everywhere else []),
        Text(model.name),
        _colored(model.phase),
        Text(str(model.stable.get("version", ""))),
        Text(str(candidate.get("version", ""))),
        Text(f"{candidate.get('weight', 0)} %" if candidate else ""),
        Text(str(step.get("progress", ""))),
        Text(model.state),
    ]


def history_text(model: Model, costs: Sequence[Amount | None] = ()) -> RenderableType:
    """Return how each rollout that is remembered ended, the newest first, and what each cost, as far as it is known."""
    return Group(*(_entry(entry, cost) for entry, cost in zip_longest(model.history, costs)))


def _entry(entry: Json, cost: Amount | None) -> RenderableType:
    took = read_time(entry["endedAt"]) - read_time(entry["startedAt"])
    head = Text.assemble(
        (f"{entry['version']}", "bold"),
        f" ({entry['revision']}) ",
        _colored(entry["result"]),
        f" {_at(entry['endedAt'])}, after {_long(took)}",
    )
    tree = Tree(head)
    for label, key in (("changes", "changes"), ("checks", "checks"), ("why", "message")):
        if entry.get(key):
            tree.add(Text(f"{label}: {entry[key]}"))
    if entry.get("evidenceAt") and entry.get("revertedAt"):
        reaction = read_time(entry["revertedAt"]) - read_time(entry["evidenceAt"])
        tree.add(Text(f"all traffic was back {reaction.total_seconds():.1f} s after the evidence"))
    if cost is not None:
        tree.add(Text(f"cost on top: {cost}"))
    return tree


def _role(role: str, found: Json, *, bars: bool) -> Text:
    weight = int(found.get("weight", 0))
    drawn = f" {_bar(weight / 100)}" if bars else ""
    pods = f"{found.get('ready', 0)} of {count(found.get('replicas', 0), 'pod')} ready"
    return Text.assemble(
        f"{role} ",
        (str(found["version"]), "bold"),
        f" ({found['revision']}, ",
        (str(found["color"]), str(found["color"])),
        f"): {weight} %{drawn}, {pods}",
    )


def _step(step: Json, now: datetime) -> Text:
    name = "bake" if step["index"] > step["count"] else f"step {step['index']} of {step['count']}"
    if shadow := step.get("shadow"):
        seen = step.get("verifiedAt")
        since = f"mirrored for {_ago(seen, now)}" if seen else f"decided {_ago(step['intendedAt'], now)} ago"
        return Text(f"{name}: shadow {shadow}, {since}")
    if seen := step.get("verifiedAt"):
        return Text(f"{name}: {step['weight']} %, seen in the traffic for {_ago(seen, now)}")
    return Text(f"{name}: {step['weight']} %, decided {_ago(step['intendedAt'], now)} ago, not yet seen in the traffic")


def _check(check: Json) -> Text:
    return Text.assemble(f"{check['name']} ", _colored(check["result"]), _after(check.get("message")))


def _guard(guard: Json, *, bars: bool) -> Text:
    evidence, threshold = float(guard["evidence"]), float(guard["threshold"])
    drawn = f" {_bar(_share(evidence, threshold))}" if bars else ""
    return Text.assemble(
        f"{guard['name']} ({guard['kind']}) ",
        _colored(guard["verdict"]),
        f", evidence {evidence:,.4g} of {threshold:,.4g}{drawn}",
        _after(guard.get("message")),
    )


def _ended(entry: Json) -> Text:
    return Text.assemble(f"{called(entry)} ", _colored(entry["result"]), f" {_at(entry['endedAt'])}")


def _branch(root: Tree, title: str, lines: list[Text]) -> None:
    if lines:
        branch = root.add(title)
        for line in lines:
            branch.add(line)


def _colored(word: object) -> Text:
    style = "green" if word in _GOOD else "red" if word in _BAD else "yellow"
    return Text(str(word), style=style)


def _bar(share: float) -> str:
    full = round(_BAR * min(1.0, max(0.0, share)))
    return "█" * full + "░" * (_BAR - full)


def _share(evidence: float, threshold: float) -> float:
    """How far evidence has come, on a logarithmic scale: each request multiplies it."""
    return math.log(max(evidence, 1.0)) / math.log(threshold) if threshold > 1 else 0.0


def _after(message: object) -> str:
    return f": {message}" if message else ""


def _sentence(text: str) -> str:
    return f"{text.removesuffix('.')}."


def _at(time: str) -> str:
    return read_time(time).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _ago(time: str, now: datetime) -> str:
    return _long(now - read_time(time))


def _long(duration: timedelta) -> str:
    """A duration in its two largest units."""
    return " ".join(list(_parts(max(0, round(duration.total_seconds()))))[:2]) or "0 s"


def _parts(seconds: int) -> Iterator[str]:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            yield f"{count} {unit}"
