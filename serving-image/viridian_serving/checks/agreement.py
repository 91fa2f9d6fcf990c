"""Golden answers summed up: how many are as expected, whether that is enough, and which are not. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

_SHOWN = 3
"""Differences that a finding names."""
_LONGEST = 900
"""Characters of a finding: a container's last words are short."""


@dataclass(frozen=True)
class Finding:
    """What a check has found."""

    passed: bool
    sentence: str


def agreement(told: Sequence[str | None], least: float) -> Finding:
    """Judge golden answers.

    Args:
        told: For each request what is different, as a sentence; None where nothing is. One or more.
        least: Share of the requests whose answers must be as expected.
    """
    different = [each for each in told if each is not None]
    same = len(told) - len(different)
    passed = same >= least * len(told)
    sentence = f"{same} of {len(told)} answers are as expected"
    if different:
        more = f"; and {len(different) - _SHOWN} more" if len(different) > _SHOWN else ""
        enough = "" if passed else f", and {least:.4g} of them must be" if least < 1 else ", and all must be"
        sentence += f"{enough}: {'; '.join(different[:_SHOWN])}{more}"
    return Finding(passed, sentence if len(sentence) <= _LONGEST else f"{sentence[: _LONGEST - 1]}…")
