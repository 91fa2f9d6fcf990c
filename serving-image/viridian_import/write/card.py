"""MODEL_CARD.md: what the model is, what was proven of it, and what the sample covered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from viridian_import.learn.draft import Draft
from viridian_import.messages import Description, Plan, Role
from viridian_import.prove.parity import Parity
from viridian_import.prove.speed import Speed
from viridian_shared.words import count


@dataclass(frozen=True)
class Facts:
    """All that the card says."""

    name: str
    version: str
    source: str
    """Name of the file that was imported."""
    description: Description
    plan: Plan | None
    """How it was converted; None where it was ONNX already."""
    size: int
    """Of the model's file, in bytes."""
    parity: Parity | None
    """None where nothing was converted, and the model is served by its own library."""
    tolerance: float
    speed: Sequence[Speed]
    rows: int
    """Of the sample."""
    drafts: Sequence[Draft]
    cases: Mapping[str, int]
    """Rows that both answered, by why they were asked."""
    notices: Sequence[str]
    quantized: str = ""
    """What quantization did, as a sentence."""


_NATIVE = """\
## How it is served

By the library that trained it: nothing was converted. The serving image has to be built with requirements.txt beside
this file. golden.jsonl has what it answered where it was imported."""


def card(facts: Facts) -> str:
    """Write the card, in Markdown."""
    sections = [
        f"# {facts.name} {facts.version}",
        _what(facts),
        *([_NATIVE] if facts.parity is None else [_faithful(facts, facts.parity), _fast(facts.speed)]),
        _covered(facts),
    ]
    if facts.notices:
        sections.append("## Notices\n\n" + "\n".join(f"- {notice}" for notice in facts.notices))
    return "\n\n".join(sections) + "\n"


def _what(facts: Facts) -> str:
    description = facts.description
    versions = ", ".join(f"{name} {version}" for name, version in sorted(description.versions.items()))
    rows = [
        ("model", description.model),
        ("kind", description.task),
        ("imported from", facts.source),
        ("run and converted by" if facts.parity else "run by", versions),
        ("numbers", facts.plan.describe() if facts.plan else "as in the file"),
        ("size of model.onnx" if facts.parity else "size of the file", size_of(facts.size)),
    ]
    if description.classes is not None:
        rows.append(("classes", ", ".join(map(str, description.classes))))
    if facts.quantized:
        rows.append(("quantized", facts.quantized))
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {_cell(value)} |" for name, value in rows)


def _faithful(facts: Facts, parity: Parity) -> str:
    cases = ", ".join(f"{number} {name}" for name, number in facts.cases.items())
    lines = [
        "## Does it answer as the original?",
        "",
        f"The original and model.onnx answered the same {parity.compared} rows alike ({cases}).",
        "",
        "| | |",
        "|---|---|",
    ]
    if any(output.role is not Role.LABEL for output in facts.description.outputs):
        lines.append(f"| largest difference | {parity.largest:.3g} (tolerance {facts.tolerance:g}) |")
        lines.append(f"| median difference | {parity.median:.3g} |")
    if any(output.role is Role.LABEL for output in facts.description.outputs):
        lines.append(f"| labels that differ | {parity.disagreements} |")
    lines.append(f"| rows that the original fails and schema.yaml refuses | {parity.refused} |")
    lines += ["", "A difference is absolute below 1, and relative to the original's number above."]
    return "\n".join(lines)


def _fast(speed: Sequence[Speed]) -> str:
    lines = [
        "## How fast is it?",
        "",
        "| rows in a call | original | model.onnx | |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {each.rows} | {each.original:,.0f} µs | {each.onnx:,.0f} µs "
        f"| {each.original / each.onnx:.1f} times as fast |"
        for each in speed
    ]
    lines += [
        "",
        "Medians, in one process, on the machine of the import. The original was given a pandas data frame, the ONNX "
        "file arrays, each with one thread.",
    ]
    return "\n".join(lines)


def _covered(facts: Facts) -> str:
    lines = [
        f"## What the sample covered\n\n{count(facts.rows, 'row')}.\n",
        "| feature | type | in the sample | missing |",
        "|---|---|---|---|",
    ]
    for each in facts.drafts:
        seen = _seen(each)
        missing = f"{100 * each.missing / facts.rows:.3g} %"
        lines.append(f"| {_cell(each.name)} | {each.kind} | {_cell(seen)} | {missing} |")
    return "\n".join(lines)


def _seen(each: Draft) -> str:
    if each.sensitive:
        return "(sensitive)"
    if each.seen is not None:
        return f"{each.seen[0]:g} to {each.seen[1]:g}"
    return f"{len(each.categories)} categories" if each.categories else ""


def size_of(size: int) -> str:
    """Return a number of bytes as people write it."""
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.1f} KiB"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
