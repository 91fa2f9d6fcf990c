"""Golden answers summed up: how many are as expected, whether that is enough, and which are not. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from viridian_serving.checks.golden import SHOWN, Difference, cut, told_by_reason

LONGEST = 900
"""Characters of a finding: a container's last words are short."""


@dataclass(frozen=True)
class Finding:
    """What a check has found."""

    passed: bool
    sentence: str


def agreement(found: Sequence[Difference | None], least: float) -> Finding:
    """Judge golden answers.

    Args:
        found: For each request what is different; None where nothing is. One or more.
        least: Share of the requests whose answers must be as expected.
    """
    different = [each for each in found if each is not None]
    same = len(found) - len(different)
    passed = same >= least * len(found)
    sentence = f"{same} of {len(found)} answers are as expected"
    if different:
        enough = "" if passed else f", and {least * 100:.5g}% of them must be" if least < 1 else ", and all must be"
        sentence += f"{enough}: {'; '.join(told_by_reason(different, SHOWN))}"
    return Finding(passed, cut(sentence, LONGEST))
