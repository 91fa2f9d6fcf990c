"""From readings of pods' answers to judgements. Each kind of counters has its own blocks.

Labels, shadow requests and feedback come at their own pace, so a block of one is not a block of another. All spend from
the alpha that the tests on requests share (see `alpha`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from viridian.guards.alpha import allocate_alpha
from viridian.guards.answers.counters import Answers, AnswerSnapshot, deltas
from viridian.guards.answers.predictions import Pair, judge_predictions, weigh_predictions
from viridian.guards.blame import Attribution
from viridian.guards.config import Config, Source, absolute_guards, relative_guards
from viridian.guards.counts import Block
from viridian.guards.driver import Rollout
from viridian.guards.judge import (
    Judgement,
    Observation,
    closed_relative,
    judge_absolute,
    say_relative,
    weigh_relative,
)
from viridian.guards.sentences import percent
from viridian.guards.series import RequestCounts, Traffic
from viridian.guards.state import State

BLOCK: Final = 10
"""Predictions that a block wants from each side."""
LABELLED: Final = 5
"""Predictions with feedback that a block wants from each side, and shadow requests."""
SPAN: Final = 30.0
"""Seconds that a block lasts at least: pods' counters may lie a scrape apart."""


@dataclass(frozen=True)
class AnswerWindow:
    """What is kept in memory only; after a restart a new block begins.

    Attributes:
        latest: The newest reading.
        starts: The reading at which the open block of each kind began.
        past: What candidate and stable answered in closed blocks.
        first: The first reading.
    """

    latest: AnswerSnapshot
    starts: Mapping[Source, AnswerSnapshot]
    first: AnswerSnapshot
    past: Pair = field(default_factory=lambda: (Answers(), Answers()))

    @classmethod
    def at(cls, snapshot: AnswerSnapshot) -> AnswerWindow:
        """Return a window that begins with a reading."""
        return cls(snapshot, dict.fromkeys(Source, snapshot), snapshot)

    def anew(self) -> AnswerWindow:
        """Return it with nothing in its open blocks: new and edited guards start with answers that come from now on."""
        return replace(self, starts=dict.fromkeys(Source, self.latest))


def advance_answers(
    config: Config, state: State, window: AnswerWindow | None, now: AnswerSnapshot, rollout: Rollout
) -> tuple[State, AnswerWindow, list[Judgement]]:
    """Take in a reading.

    Args:
        config: The guards.
        state: What they remember.
        window: What was returned for the last reading; None at first, and after a restart.
        now: The reading.
        rollout: What is being compared.

    Returns:
        The new state, the new window, and one judgement for predictions and for each guard that reads answers.
    """
    before, state = state, allocate_alpha(config, state)
    window = AnswerWindow.at(now) if window is None else replace(window, latest=now.after(window.latest))
    if state is not before:
        window = window.anew()
    judgements: list[Judgement] = []
    for step in (_predictions, _shadow, _feedback):
        state, window, found = step(config, state, window, rollout)
        judgements += found
    return state, window, judgements


Step = tuple[State, AnswerWindow, list[Judgement]]


def _predictions(config: Config, state: State, window: AnswerWindow, rollout: Rollout) -> Step:
    if rollout.stable is None or not rollout.routed:
        return state, window, []
    block = _pair(window.starts[Source.PREDICTIONS], window.latest, rollout.candidate, rollout.stable)
    answered = min(each.not_finite.total for each in block)
    if answered >= BLOCK and _lasted(window, Source.PREDICTIONS):
        state = weigh_predictions(config, state, block, window.past)
        past = window.past[0] + block[0], window.past[1] + block[1]
        window = replace(_closed(window, Source.PREDICTIONS), past=past)
        block = Answers(), Answers()
    seen = window.past[0] + block[0], window.past[1] + block[1]
    if not any(each.not_finite.total for each in seen):
        return state, window, []  # a model that predicts neither labels nor numbers, or that nobody asks yet
    return state, window, [judge_predictions(config, state, seen, rollout.control)]


def _shadow(config: Config, state: State, window: AnswerWindow, rollout: Rollout) -> Step:
    guard = next(absolute_guards(config, Source.SHADOW), None)
    if guard is None:
        return state, window, []
    results = _all(window.starts[Source.SHADOW], window.latest).compared(rollout.candidate)
    agreed, disagreed = results.get("agreed", 0), results.get("disagreed", 0)
    traffic = Traffic(unpinned=RequestCounts(agreed + disagreed, disagreed))
    close = agreed + disagreed >= LABELLED
    # Stable's own answers are the measure, so there is nobody else to blame: no control.
    seen = Observation(
        window.latest.stamp, traffic, Traffic(), traffic, Traffic(), close, comparable=True, control=False
    )
    after, _, judgement = judge_absolute(guard, state.absolute[guard.name], seen, Attribution())
    if close:
        state = replace(state, absolute={**state.absolute, guard.name: after})
        window = _closed(window, Source.SHADOW)
    ever = _all(window.first, window.latest).compared(rollout.candidate)
    lost = {result: ever.get(result, 0) for result in ("failed", "dropped")}
    if any(lost.values()):
        text = f" Not compared: {lost['failed']:,} that the candidate failed, {lost['dropped']:,} dropped."
        judgement = replace(judgement, sentence=judgement.sentence + text)
    if not after.total.candidate.total:
        # Without a shadow step there is nothing to wait for.
        judgement = replace(judgement, requests_missing=0, sentence="No shadow request has been compared yet.")
    return state, window, [judgement]


def _feedback(config: Config, state: State, window: AnswerWindow, rollout: Rollout) -> Step:
    guard = next(relative_guards(config, Source.FEEDBACK), None)
    if guard is None or rollout.stable is None:
        return state, window, []
    reported = _all(window.starts[Source.FEEDBACK], window.latest)
    candidate, stable = reported.cohorts(rollout.candidate), reported.cohorts(rollout.stable)
    after = state.relative[guard.name]
    # Truth that comes late is another truth than what comes at once (fraud takes weeks to be found): each age is
    # compared with itself.
    strata = [Block(candidate[age], stable[age]) for age in candidate if age in stable]
    if min(sum(each.candidate.total for each in strata), sum(each.stable.total for each in strata)) >= LABELLED:
        after = weigh_relative(guard, after, strata)
        window = _closed(window, Source.FEEDBACK)
        state = replace(state, relative={**state.relative, guard.name: closed_relative(after)})
    judgement = say_relative(guard, after, control=True)
    return state, window, [replace(judgement, sentence=f"{judgement.sentence}{_coverage(window, rollout)}")]


def _coverage(window: AnswerWindow, rollout: Rollout) -> str:
    """How much of what both predicted is known by now; feedback is no random choice, so it has to be said."""
    assert rollout.stable is not None  # noqa: S101 - asked before
    revisions = rollout.candidate, rollout.stable
    labelled, predicted = _all(window.first, window.latest), _pair(window.first, window.latest, *revisions)
    shares = []
    for revision, answers in zip(revisions, predicted, strict=True):
        known = sum(counts.total for counts in labelled.cohorts(revision).values())
        shares.append(percent(known / answers.predictions) if answers.predictions else "an unknown share")
    return f" Feedback covers {shares[0]} of the candidate's predictions and {shares[1]} of stable's."


def _pair(before: AnswerSnapshot, after: AnswerSnapshot, candidate: str, stable: str) -> Pair:
    found = deltas(before, after)
    return found.get(candidate, Answers()), found.get(stable, Answers())


def _all(before: AnswerSnapshot, after: AnswerSnapshot) -> Answers:
    return sum(deltas(before, after).values(), Answers())


def _lasted(window: AnswerWindow, source: Source) -> bool:
    return window.latest.stamp - window.starts[source].stamp >= SPAN


def _closed(window: AnswerWindow, source: Source) -> AnswerWindow:
    return replace(window, starts={**window.starts, source: window.latest})
