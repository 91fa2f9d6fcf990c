"""Guards on answers: how often they roll back, by the code that the operator runs, one rollout at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from tests.bench.guards.traffic import HEALTHY, WEIGHT, Cell

from viridian.guards import Config, Rollout, State, Verdict
from viridian.guards.answers.counters import CLASS, COHORT, NON_FINITE, SHADOW, AnswerSnapshot, Key, PodAnswers
from viridian.guards.answers.driver import AnswerWindow, advance_answers

Mix = Mapping[Key, float]
"""What is counted, and how often of each answer."""

_USUAL: Mix = {(CLASS, "a"): 0.70, (CLASS, "b"): 0.25, (CLASS, "c"): 0.05}
_MOVED: Mix = {(CLASS, "a"): 0.05, (CLASS, "b"): 0.25, (CLASS, "c"): 0.70}
SHIFT = "viridian maxShift"
_FEEDBACK = 0.2
"""The share of answers of which the truth is reported."""


@dataclass(frozen=True)
class Case:
    """A guard, and a candidate for it.

    Attributes:
        rule: The guard's name in the report.
        config: What is guarded.
        candidate: In words.
        mixes: What candidate and stable answer.
        later: The same in the second half, if the inputs of both change.
    """

    rule: str
    config: Config
    candidate: str
    mixes: tuple[Mix, Mix]
    later: tuple[Mix, Mix] | None = None

    @property
    def incident(self) -> str:
        """What happens to both."""
        return "inputs move" if self.later else "none"


def _finite(share: float) -> Mix:
    return {**_USUAL, (NON_FINITE,): share}


def _agreed(share: float) -> Mix:
    return {(SHADOW, "c", "agreed"): share, (SHADOW, "c", "disagreed"): 1 - share}


def _wrong(revision: str, share: float) -> Mix:
    counts = {"correct": 1 - share, "incorrect": share}
    return {**_USUAL, **{(COHORT, revision, "1h", result): _FEEDBACK * part for result, part in counts.items()}}


def _cases() -> list[Case]:
    plain = Config(error_rate_max=0.1, worse_than_stable=1.5)
    shift, ratio = replace(plain, max_shift=0.10), replace(plain, max_class_ratio=2.0)
    agreement, accuracy = replace(plain, agreement=0.98), replace(plain, accuracy=1.5)
    shifted: Mix = {(CLASS, "a"): 0.50, (CLASS, "b"): 0.45, (CLASS, "c"): 0.05}
    often: Mix = {(CLASS, "a"): 0.55, (CLASS, "b"): 0.25, (CLASS, "c"): 0.20}
    both, moved = (_USUAL, _USUAL), (_MOVED, _MOVED)
    return [
        Case(SHIFT, shift, HEALTHY, both),
        Case(SHIFT, shift, HEALTHY, both, moved),
        Case(SHIFT, shift, "20 % shift", (shifted, _USUAL)),
        Case("viridian maxClassRatio", ratio, HEALTHY, both),
        Case("viridian maxClassRatio", ratio, HEALTHY, both, moved),
        Case("viridian maxClassRatio", ratio, "one label 4x", (often, _USUAL)),
        Case("viridian predictions", plain, HEALTHY, (_finite(0.01), _finite(0.01))),
        Case("viridian predictions", plain, "one label only", ({(CLASS, "a"): 1.0}, _USUAL)),
        Case("viridian predictions", plain, "5x not finite", (_finite(0.05), _finite(0.01))),
        Case("viridian agreement", agreement, HEALTHY, ({}, _agreed(0.99))),
        Case("viridian agreement", agreement, "agrees on 90 %", ({}, _agreed(0.90))),
        Case("viridian accuracy", accuracy, HEALTHY, (_wrong("c", 0.05), _wrong("s", 0.05))),
        Case("viridian accuracy", accuracy, "wrong 5x", (_wrong("c", 0.25), _wrong("s", 0.05))),
    ]


CASES = _cases()


def rolled_back_after(case: Case, cell: Cell, rng: np.random.Generator) -> int | None:
    """Return the candidate's answers until it is rolled back, or None; counters are read once a minute.

    Args:
        case: What is guarded, and what is answered.
        cell: How much traffic there is, and for how long.
        rng: Chance.
    """
    state, rollout = State(), Rollout("c", "s", round(100 * WEIGHT), -1000.0)
    window: AnswerWindow | None = None
    counts: dict[str, Counter[Key]] = {"c": Counter(), "s": Counter()}
    looks, answered = round(cell.minutes), 0
    for look in range(looks):
        mixes = case.later if case.later and 2 * look > looks else case.mixes
        for (name, own), mix, share in zip(counts.items(), mixes, (WEIGHT, 1 - WEIGHT), strict=True):
            number = rng.poisson(cell.requests_per_minute * share)
            answered += number if name == "c" else 0
            labels = {key: part for key, part in mix.items() if key[0] == CLASS}
            drawn = rng.multinomial(number, list(labels.values())) if labels else []
            own.update({key: int(each) for key, each in zip(labels, drawn, strict=True)})
            own.update({key: int(rng.binomial(number, part)) for key, part in mix.items() if key not in labels})
        pods = {name: PodAnswers(name, dict(own), -1000.0) for name, own in counts.items()}
        now = AnswerSnapshot(60.0 * look, pods)
        state, window, judgements = advance_answers(case.config, state, window, now, rollout)
        if any(judgement.verdict is Verdict.BREACH for judgement in judgements):
            return answered
    return None
