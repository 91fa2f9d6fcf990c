"""Compares what two models answered to the same rows. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from viridian_import.messages import Answers, Output, Role


@dataclass(frozen=True)
class Difference:
    """A row that makes the conversion unfaithful."""

    row: int
    reason: str


@dataclass(frozen=True)
class Parity:
    """How far apart they are."""

    answered: tuple[int, ...]
    """Rows that both answered."""
    largest: float
    """Of all numbers: |original - ONNX| / max(1, |original|)."""
    median: float
    disagreements: int
    """Labels that differ."""
    refused: int
    """Rows that the original fails and the schema does not let in."""
    kept_out: tuple[int, ...]
    """Rows that the original answers, and the schema does not have to let in, and does not."""
    differences: tuple[Difference, ...]

    @property
    def compared(self) -> int:
        """How many rows both answered."""
        return len(self.answered)

    @property
    def faithful(self) -> bool:
        """Whether there is no row on which they differ."""
        return not self.differences


def compare(
    original: Answers,
    converted: Answers,
    outputs: Sequence[Output],
    refusals: Mapping[int, str],
    required: range,
    tolerance: float,
) -> Parity:
    """Compare two models.

    Args:
        original: What it answered.
        converted: What the ONNX file answered; its outputs are those of the original, in their order.
        outputs: Of the original.
        refusals: Rows that the schema does not let in, and why.
        required: Rows that it has to let in if the original answers them: those of the sample.
        tolerance: How far apart numbers may be: absolute below 1, and relative above.

    Returns:
        The result.
    """
    numbers: list[float] = []
    differences: list[Difference] = []
    answered: list[int] = []
    kept_out: list[int] = []
    disagreements = refused = 0
    pairs = list(zip(outputs, converted.values.values(), strict=True))
    for row in range(len(pairs[0][1])):
        if reason := _refused(row, original, converted, refusals, required):
            differences.append(Difference(row, reason))
        elif row in refusals and row not in original.refused:
            kept_out.append(row)
        if row in original.refused or row in refusals or row in converted.refused:
            refused += row in original.refused and row in refusals
            continue
        answered.append(row)
        worst, told = 0.0, ""
        for output, values in pairs:
            left, right = original.values[output.name][row], values[row]
            if output.role is Role.LABEL:
                wrong = _labels_differ(left, right)
                disagreements += wrong
                told = told or (f"{output.name} is {_shown(left)} and not {_shown(right)}" if wrong else "")
                continue
            apart = max(_distances(left, right), default=0.0)
            numbers.append(apart)
            if not apart <= tolerance and apart >= worst:
                worst, told = apart, f"{output.name} is {_shown(left)} and not {_shown(right)}"
        if told:
            differences.append(Difference(row, told))
    return Parity(
        tuple(answered),
        max(numbers, default=0.0),
        median(numbers) if numbers else 0.0,
        disagreements,
        refused,
        tuple(kept_out),
        tuple(differences),
    )


def _refused(
    row: int, original: Answers, converted: Answers, refusals: Mapping[int, str], required: range
) -> str | None:
    if row in original.refused:
        return None if row in refusals else f"the original fails ({original.refused[row]}), and the schema lets it in"
    if row in refusals:
        return f"the schema does not let it in: {refusals[row]}" if row in required else None
    if row in converted.refused:
        return f"ONNX Runtime fails ({converted.refused[row]})"
    return None


def _labels_differ(left: Any, right: Any) -> bool:  # noqa: ANN401  JSON values
    if isinstance(left, list):
        return len(left) != len(right) or any(map(_labels_differ, left, right))
    return bool(left != right)


def _distances(left: Any, right: Any) -> Iterator[float]:  # noqa: ANN401
    if isinstance(left, list) or isinstance(right, list):
        ours = left if isinstance(left, list) else [left]
        theirs = right if isinstance(right, list) else [right]
        if len(ours) != len(theirs):
            yield math.inf
            return
        for pair in zip(ours, theirs, strict=True):
            yield from _distances(*pair)
    elif left is None or right is None or not (math.isfinite(left) and math.isfinite(right)):
        same = left == right or (_nan(left) and _nan(right))
        yield 0.0 if same else math.inf
    else:
        yield abs(left - right) / max(1.0, abs(left))


def _nan(value: float | None) -> bool:
    return value is None or math.isnan(value)


def _shown(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value[:5]))}{', …' if len(value) > 5 else ''}]"
    return f"{value:.6g}" if isinstance(value, float) else repr(value)
