"""Writes schema.yaml: what was learnt, and room for what only people know."""

from collections.abc import Sequence
from typing import Any, Final

import yaml

from viridian_import.learn.draft import Draft
from viridian_import.messages import Output, Role
from viridian_serving.codec.tensors import Kind
from viridian_shared.words import count

_HEAD: Final = (
    "# Learnt by viridian import from {rows}. Fill in units and descriptions, and correct what you know better:\n"
    "# docs/reference/schema.md explains the keys. Afterwards: viridian check FOLDER\n"
)
_SHOWN: Final = 8
"""Categories that a comment lists."""


def schema_text(
    drafts: Sequence[Draft], outputs: Sequence[Output], classes: Sequence[Any] | None, rows: int, tensor: str | None
) -> str:
    """Write the file.

    Args:
        drafts: The features, in the model's order.
        outputs: Of the ONNX file.
        classes: Of a classifier, in the order of the probabilities.
        rows: Of the sample.
        tensor: The input that all features are columns of; None where each is its own input.

    Returns:
        YAML.
    """
    names = {each.name for each in drafts}
    # Without it, a feature of the input's name would be taken for all of the input.
    explicit = tensor if tensor in names and len(drafts) > 1 else None
    lines = [_HEAD.format(rows=count(rows, "row")).rstrip("\n"), 'description: ""', "features:"]
    lines += [_feature(each, rows, explicit) for each in drafts]
    lines += ["outputs:", *_outputs(outputs, classes)]
    return "\n".join(lines) + "\n"


def _feature(each: Draft, rows: int, tensor: str | None) -> str:
    entry: dict[str, Any] = {"name": each.name, "type": str(each.kind)}
    if tensor is not None:
        entry["tensor"] = tensor
    if each.low is not None and each.high is not None:
        entry |= {"min": _number(each.low, each.kind), "max": _number(each.high, each.kind)}
    if each.closed:
        entry["categories"] = [*each.categories, *([""] if each.empty and each.missing else [])]
    if each.nullable:
        entry["nullable"] = True
    if each.sensitive:
        entry["sensitive"] = True
    if each.kind in (Kind.NUMBER, Kind.INTEGER):
        entry["unit"] = ""
    if each.example is not None and not each.sensitive:
        entry["example"] = each.example
    comment = "; ".join(_remarks(each, rows))
    return f"  - {_inline(entry)}" + (f"   # {comment}" if comment else "")


def _remarks(each: Draft, rows: int) -> list[str]:
    remarks = []
    if each.seen is not None and not each.sensitive:
        remarks.append(f"in the sample {each.seen[0]:g} to {each.seen[1]:g}")
    if each.categories and not each.closed and not each.sensitive:
        shown = ", ".join(_inline(value) for value in each.categories[:_SHOWN])
        more = f" and {len(each.categories) - _SHOWN} more" if len(each.categories) > _SHOWN else ""
        remarks.append(f"in the sample {shown}{more}; others are let in, as the model takes them")
    if each.missing:
        remarks.append(f"{100 * each.missing / rows:.3g} % missing")
    if each.empty:
        remarks.append('"" says that it is missing')
    if each.sensitive:
        remarks.append("sensitive by its name; is it?")
    return [remark.replace("\n", " ") for remark in remarks]


def _outputs(outputs: Sequence[Output], classes: Sequence[Any] | None) -> list[str]:
    lines = [f"  prediction: {_inline(outputs[0].name)}"]
    for output in outputs:
        if output.role is Role.PROBABILITIES:
            lines.append(f"  probabilities: {_inline(output.name)}")
            if classes is not None and all(isinstance(value, str) for value in classes):
                lines.append(f"  classes: {_inline(list(classes))}")
            elif classes is not None and list(classes) == list(range(len(classes))):
                lines.append(f"  # classes: [name, …]   # of the model's classes {', '.join(map(str, classes))}")
            elif classes is not None:
                lines.append(f"  # The probabilities are those of the classes {', '.join(map(str, classes))}.")
    return lines


def _number(value: float, kind: Kind) -> float:
    return int(value) if kind is Kind.INTEGER or float(value).is_integer() else value


def _inline(value: Any) -> str:  # noqa: ANN401  a JSON value
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10**9, sort_keys=False, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
