"""Labels: how often `guards.predictions.maxShift` rolls back, by the code that the operator runs."""

from __future__ import annotations

from collections import Counter

import numpy as np
from tests.bench.guards.traffic import WEIGHT

from viridian.guards import Config, Rollout, State, Verdict
from viridian.guards.answers.counters import CLASS, AnswerSnapshot, Key, PodAnswers
from viridian.guards.answers.driver import AnswerWindow, advance_answers

LIMIT = 0.10
READING = 15.0
STABLE = np.array([0.70, 0.25, 0.05])


def rolled_back_after(
    rng: np.random.Generator, per_minute: int, shift: float, minutes: float, moves: bool
) -> int | None:
    """Return the candidate's predictions until it is rolled back, or None.

    Args:
        rng: Chance.
        per_minute: Predictions of both.
        shift: The total variation distance of the candidate's labels.
        minutes: Length of the rollout.
        moves: Whether the inputs of both change half-way.
    """
    config = Config(error_rate_max=0.1, worse_than_stable=1.5, max_shift=LIMIT)
    state, rollout = State(), Rollout("c", "s", round(100 * WEIGHT), -1000.0)
    window: AnswerWindow | None = None
    counts: dict[str, Counter[Key]] = {"c": Counter(), "s": Counter()}
    for step in range(round(minutes * 60 / READING)):
        mix = STABLE[::-1] if moves and step * READING > 30 * minutes else STABLE
        moved = mix + np.array([-shift, shift, 0.0])
        for name, share, weight in (("c", moved, WEIGHT), ("s", mix, 1 - WEIGHT)):
            drawn = rng.multinomial(rng.poisson(per_minute * READING / 60 * weight), np.clip(share, 0, 1))
            counts[name].update({(CLASS, label): int(n) for label, n in zip("abc", drawn, strict=True)})
        pods = {name: PodAnswers(name, dict(own), -1000.0) for name, own in counts.items()}
        now = AnswerSnapshot(step * READING, pods)
        state, window, judgements = advance_answers(config, state, window, now, rollout)
        if any(judgement.verdict is Verdict.BREACH for judgement in judgements):
            return sum(counts["c"].values())
    return None
