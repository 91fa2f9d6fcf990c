"""golden.jsonl: requests, and what the original model answered. Pure: who asks is not its concern.

Each line is a JSON object:

    case       why it is asked, for people
    request    a body for /predict
    status     200, or 400 where the schema does not let it in
    answer     what 200 must hold: at least these members; numbers within the tolerance
    tolerance  how far apart numbers may be: absolute below 1, and relative above
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from viridian_serving.codec.comparison import differences

FILE: Final = "golden.jsonl"


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
            raise ValueError(f"line {number} of {FILE} cannot be used ({error}); correct or remove it") from None
    return lines


def difference(line: Golden, status: int, body: bytes) -> str | None:
    """Compare an answer with what it should be.

    Args:
        line: What was asked.
        status: Of the answer.
        body: Of the answer, JSON.

    Returns:
        What is different, as a sentence; None when nothing is.
    """
    if status != line.status:
        return f"{line.case}: answered with status {status} and not {line.status}: {_excerpt(body)}"
    if line.answer is None:
        return None
    try:
        answer = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        return f"{line.case}: the answer is not JSON ({error})"
    told = next(differences(line.answer, answer, line.tolerance), None)
    return f"{line.case}: {told}" if told else None


def _excerpt(body: bytes) -> str:
    text = repr(body.decode(errors="replace"))
    return text if len(text) <= 200 else f"{text[:199]}…"
