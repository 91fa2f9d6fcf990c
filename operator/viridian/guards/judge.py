"""Verdicts: what the evidence means for the rollout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal

from viridian.guards import absolute, relative
from viridian.guards import sentences as say
from viridian.guards.config import AbsoluteGuard, Config, RelativeGuard, absolute_guards, relative_guards
from viridian.guards.counts import Block, Counts
from viridian.guards.power import SPEAK_ALPHA, requests_missing
from viridian.guards.series import Traffic
from viridian.guards.state import AbsoluteState, RelativeState, State

SHARED_ALPHA: Final = 0.05
"""The level at which stable is said to breach. It withholds blame and punishes nobody, so it need not be strict."""

UNLIKE_LEVEL: Final = 0.01
"""How improbable stable's few failures must be at the candidate's rate before the candidate alone is blamed."""

PATIENCE: Final = 10.0
"""Seconds that blame waits for stable's requests to show whether they fail as well."""


class Verdict(StrEnum):
    """What a guard says about the candidate."""

    HEALTHY = "Healthy"
    BREACH = "Breach"
    NOT_ENOUGH_DATA = "NotEnoughData"
    NO_CONTROL = "NoControl"
    SHARED_INCIDENT = "SharedIncident"


@dataclass(frozen=True)
class Judgement:
    """One guard's answer.

    Attributes:
        guard: Its name, such as `errorRate` or `latency-p95`.
        kind: Whether it compares with a fixed maximum or with stable.
        verdict: The answer.
        e_value: The evidence against the candidate; 1 is none.
        threshold: The evidence at which the candidate is to be rolled back.
        candidate: The candidate's requests that the sentence speaks of.
        stable: Stable's in the same time; None if there were none.
        sentence: The answer in words, with its numbers.
        requests_missing: For a fixed maximum, about how many more requests it takes to say that it is kept; 0 when it
            can be said, None when it never will at this rate.
    """

    guard: str
    kind: Literal["absolute", "relative"]
    verdict: Verdict
    e_value: float
    threshold: float
    candidate: Counts
    stable: Counts | None
    sentence: str
    requests_missing: int | None = 0


@dataclass(frozen=True)
class Evidence:
    """What happened since the last block was closed.

    Attributes:
        stamp: The moment up to which it is known, in seconds since the epoch.
        candidate: The candidate's traffic.
        stable: Stable's in the same time.
        close: Whether the block ends here. Must not depend on what failed.
        comparable: Whether the two may be compared: not just after a change of weight.
        control: Whether stable is meant to get requests of its own at present.
    """

    stamp: float
    candidate: Traffic
    stable: Traffic
    close: bool
    comparable: bool
    control: bool


def judge(config: Config, state: State, seen: Evidence) -> tuple[State, list[Judgement]]:
    """Weighs one block.

    Guards with a fixed maximum weigh open blocks as well, provisionally: their evidence may be looked at after every
    request. The comparison with stable takes closed blocks only, because a scrape that shows one side's requests alone
    carries no evidence and would use up the requests in it.

    Args:
        config: The guards. `state` must hold a test for each (see `allot`).
        state: The evidence up to the last closed block.
        seen: What happened since.

    Returns:
        The state, with the block in it if that was closed, and one judgement per guard.
    """
    fixed, compared = dict(state.absolute), dict(state.relative)
    judgements = []
    for guard in absolute_guards(config):
        fixed[guard.name], judgement = _judge_absolute(guard, fixed[guard.name], seen)
        judgements.append(judgement)
    for other in relative_guards(config):
        compared[other.name], judgement = _judge_relative(other, compared[other.name], seen)
        judgements.append(judgement)
    return replace(state, absolute=fixed, relative=compared), judgements


def _judge_absolute(guard: AbsoluteGuard, before: AbsoluteState, seen: Evidence) -> tuple[AbsoluteState, Judgement]:
    block = Block(guard.counts(seen.candidate.everything), guard.counts(seen.stable.everything))
    after = _weighed(guard, before, block)
    verdict = _absolute_verdict(guard, after, seen)
    crossed = None
    if verdict is Verdict.NOT_ENOUGH_DATA and after.above.evidence >= 1 / after.alpha:
        crossed = seen.stamp if before.crossed is None else before.crossed
    after = replace(after, crossed=crossed)
    return (
        _closed(after, verdict) if seen.close else replace(before, crossed=crossed),
        _say_absolute(guard, after, verdict),
    )


def _weighed(guard: AbsoluteGuard, before: AbsoluteState, block: Block) -> AbsoluteState:
    """The state with a block in it."""
    above = absolute.log_likelihood_ratios(block.candidate, guard.maximum, absolute.ABOVE)
    stable_above = absolute.log_likelihood_ratios(block.stable, guard.maximum, absolute.ABOVE)
    below = absolute.log_likelihood_ratios(block.candidate, guard.maximum, absolute.BELOW)
    return replace(
        before,
        above=before.above.update(above),
        stable_above=before.stable_above.update(stable_above),
        below=before.below.update(below),
        total=before.total + block,
        stretch=before.stretch + block,
    )


def _absolute_verdict(guard: AbsoluteGuard, after: AbsoluteState, seen: Evidence) -> Verdict:
    """What a fixed maximum says.

    Evidence against the candidate is blame only if stable does not fail as well: an incident that hits both is no
    reason to take the candidate back. Where the candidate has most of the traffic, its evidence is complete before
    stable has answered a single request, so blame waits a little until stable's requests tell the two apart.
    """
    candidate, stable = after.stretch.candidate, after.stretch.stable
    over = after.above.evidence >= 1 / after.alpha
    stable_over = after.stable_above.evidence >= 1 / SHARED_ALPHA or stable.rate > guard.maximum
    if over and stable_over:
        return Verdict.SHARED_INCIDENT
    if over:
        apart = absolute.is_too_few(stable, candidate.rate, UNLIKE_LEVEL)
        waited = after.crossed is not None and seen.stamp - after.crossed >= PATIENCE
        return Verdict.BREACH if apart or waited or not seen.control else Verdict.NOT_ENOUGH_DATA
    # Once shared, it stays so until a closed block shows one of the two within the maximum.
    if after.shared and (not seen.close or (stable_over and candidate.rate > guard.maximum)):
        return Verdict.SHARED_INCIDENT
    if after.below.evidence < 1 / SPEAK_ALPHA:
        return Verdict.NOT_ENOUGH_DATA
    return Verdict.HEALTHY


def _closed(after: AbsoluteState, verdict: Verdict) -> AbsoluteState:
    """The state to keep when a block ends."""
    if verdict is Verdict.SHARED_INCIDENT:
        # What happened to both is not held against the candidate when it is over.
        above, stable_above = after.above.forgiven(), after.stable_above.forgiven()
        return replace(after, shared=True, above=above, stable_above=stable_above, stretch=Block())
    stretch = Block() if after.above.quiet else after.stretch
    return replace(after, shared=False, stretch=stretch)


def _say_absolute(guard: AbsoluteGuard, after: AbsoluteState, verdict: Verdict) -> Judgement:
    value, threshold = after.above.evidence, 1 / after.alpha
    counts = after.stretch if value >= threshold or verdict is Verdict.SHARED_INCIDENT else after.total
    verb, allowed, numbers = say.what(guard), say.allowed(guard), say.against(value, threshold)
    missing = requests_missing(after.below, after.total.candidate, guard.maximum)
    only = say.share_of(counts.candidate, "the candidate", verb)
    match verdict:
        case Verdict.BREACH:
            sentence = f"{say.both(counts, verb)}: more than {allowed}, {numbers}."
        case Verdict.SHARED_INCIDENT:
            sentence = f"{say.both(counts, verb)}: both are over {allowed}, so the candidate is not blamed."
        case Verdict.HEALTHY:
            sentence = f"{only}: within {allowed}, {numbers}."
        case _ if value >= threshold:
            sentence = f"{say.both(counts, verb)}: more than {allowed}; waiting to see whether stable is hit as well."
        case _ if not counts.candidate.total:
            sentence = f"No request on the candidate yet; about {missing:,} are needed."
        case _ if missing is None:
            sentence = f"{only}: too close to {allowed} to say that it is kept, {numbers}."
        case _:
            sentence = f"{only}: too few to say that {allowed} is kept, about {missing:,} more are needed."
    stable = counts.stable if counts.stable.total else None
    return Judgement(guard.name, "absolute", verdict, value, threshold, counts.candidate, stable, sentence, missing)


def _judge_relative(guard: RelativeGuard, before: RelativeState, seen: Evidence) -> tuple[RelativeState, Judgement]:
    after = before
    if seen.close and seen.comparable:
        block = Block(seen.candidate.comparable.failed(), seen.stable.comparable.failed())
        if block.candidate.total and block.stable.total:
            worse = before.worse.update(relative.log_likelihood_ratios(block, guard.psi0))
            after = replace(before, worse=worse, total=before.total + block, stretch=before.stretch + block)
    judgement = _say_relative(guard, after, seen)
    return replace(after, stretch=Block() if after.worse.quiet else after.stretch), judgement


def _say_relative(guard: RelativeGuard, after: RelativeState, seen: Evidence) -> Judgement:
    value, threshold = after.worse.evidence, 1 / after.alpha
    breach = value >= threshold
    counts = after.stretch if breach else after.total
    numbers, factor = say.against(value, threshold), say.times(guard.psi0)
    if breach:
        verdict = Verdict.BREACH
        sentence = f"{say.both(counts, 'failed')}: worse than {factor} stable's odds, {numbers}."
    elif not seen.control:
        verdict = Verdict.NO_CONTROL
        sentence = "Stable gets no comparable requests at present, so the candidate cannot be compared with it."
    elif not counts.candidate.total:
        verdict = Verdict.NOT_ENOUGH_DATA
        sentence = "Too few comparable requests on both sides since the weight last changed."
    else:
        verdict = Verdict.HEALTHY
        sentence = f"{say.both(counts, 'failed')}: not shown to be worse than {factor} stable's odds, {numbers}."
    stable = counts.stable if counts.stable.total else None
    return Judgement(guard.name, "relative", verdict, value, threshold, counts.candidate, stable, sentence)
