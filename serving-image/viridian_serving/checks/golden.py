"""golden.jsonl: requests, and what the original model answered. Pure: who asks is not its concern.

Each line is a JSON object:

    case       why it is asked, for people
    request    a body for /predict
    status     200, or 400 where the schema does not let it in
    answer     what 200 must hold: at least these members; numbers within the tolerance
    tolerance  how far apart numbers may be: absolute below 1, and relative above
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from viridian_serving.artifacts.golden_file import GOLDEN_FILE
from viridian_serving.codec.comparison import differences

SHOWN: Final = 3
"""Reasons that a finding names."""
_LONGEST: Final = 300
"""Characters of an answer that a sentence quotes."""


class Golden(msgspec.Struct, frozen=True):
    """One line."""

    case: str
    request: Any
    status: int
    answer: dict[str, Any] | None = None
    tolerance: float = 1e-4


def dump(lines: Sequence[Golden]) -> bytes:
    """Return the file's bytes."""
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


def load(text: bytes) -> list[Golden]:
    """Read the file's bytes.

    Raises:
        ValueError: A line is not as described above; the message says which and why.
    """
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            lines.append(msgspec.json.decode(line, type=Golden))
        except msgspec.DecodeError as error:
            raise ValueError(f"line {number} of {GOLDEN_FILE} cannot be used ({error}); correct or remove it") from None
    return lines


@dataclass(frozen=True)
class Difference:
    """An answer that is not what it should be."""

    case: str
    reason: str

    def __str__(self) -> str:
        return f"{self.case}: {self.reason}"


def difference(line: Golden, status: int, body: bytes) -> Difference | None:
    """Compare an answer with what it should be.

    Args:
        line: What was asked.
        status: Of the answer.
        body: Of the answer, JSON.

    Returns:
        What is different; None when nothing is.
    """
    reason: str | None = None
    if status != line.status:
        reason = f"answered with status {status} and not {line.status}: {brief(body)}"
    elif line.answer is not None:
        try:
            reason = next(differences(line.answer, msgspec.json.decode(body), line.tolerance), None)
        except msgspec.DecodeError as error:
            reason = f"the answer is not JSON ({error})"
    return Difference(line.case, reason) if reason else None


def told_by_reason(found: Sequence[Difference], most: int | None = None) -> list[str]:
    """Return a clause for each reason, the most frequent first.

    Args:
        found: What is different.
        most: Reasons to name; a last clause then counts the requests that the others are about. None names all.
    """
    first = {each.reason: each for each in reversed(found)}
    counts = Counter(each.reason for each in found).most_common()
    clauses = [
        f"{first[reason]}" if count == 1 else f"{count:,} requests, such as {first[reason]}"
        for reason, count in counts[:most]
    ]
    rest = len(found) - sum(count for _, count in counts[:most])
    return [*clauses, f"and {rest:,} more"] if rest else clauses


def brief(body: bytes) -> str:
    """Return what an answer says in a few words: of a problem document what is wrong, without its frame."""
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except msgspec.DecodeError:
        text = repr(body.decode(errors="replace"))
    else:
        text = "; ".join(f"{each.pointer or 'the body'}: {each.detail}" for each in problem.errors) or problem.detail
    return cut(text, _LONGEST)


def cut(text: str, longest: int) -> str:
    """Return a text, or as much of it as has so many characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


class _Violation(msgspec.Struct, frozen=True):
    pointer: str
    detail: str


class _Problem(msgspec.Struct, frozen=True):
    """What is read of a problem document."""

    detail: str
    errors: list[_Violation] = []
