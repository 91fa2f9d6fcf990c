"""Verdicts: what the evidence means for the rollout."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal

from viridian.guards import absolute, relative
from viridian.guards import sentences as say
from viridian.guards.blame import A_FEW, SHARED_ALPHA, Attribution
from viridian.guards.config import AbsoluteGuard, Config, RelativeGuard, Source, absolute_guards, relative_guards
from viridian.guards.counts import Block, Counts
from viridian.guards.design import Spread, effect_within
from viridian.guards.power import SPEAK_ALPHA, requests_missing, requests_to_decide
from viridian.guards.series import Traffic
from viridian.guards.state import AbsoluteState, RelativeState, State

NOTABLE: Final = 1.5
"""A design effect that is worth a sentence."""

MIN_PODS: Final = 2
"""Pods of the candidate whose slowness is compared with stable's: with one, the node it is on would be."""


class Verdict(StrEnum):
    """What a guard says about the candidate."""

    HEALTHY = "Healthy"
    BREACH = "Breach"
    NOT_ENOUGH_DATA = "NotEnoughData"
    NO_CONTROL = "NoControl"
    SHARED_INCIDENT = "SharedIncident"
    UNREACHED = "Unreached"
    POD_CONFOUNDED = "PodConfounded"
    INCONCLUSIVE = "Inconclusive"
    IGNORED = "Ignored"


@dataclass(frozen=True)
class Judgement:
    """One guard's answer.

    Attributes:
        guard: Its name, such as `errorRate` or `latency-p95`.
        kind: Whether it compares with a fixed maximum or with stable, or is a query of the user's own.
        verdict: The answer.
        e_value: The evidence against the candidate; 1 is none. Of a query, the numbers above its maximum in a row.
        threshold: The evidence at which the candidate is to be rolled back.
        candidate: The candidate's requests that the sentence speaks of.
        stable: Stable's in the same time; None if there were none.
        sentence: The answer in words, with its numbers.
        requests_missing: For a fixed maximum, about how many more requests it takes to say that it is kept; 0 when it
            can be said, None when it never will at this rate.
        stable_breach: What the same maximum has against stable while the candidate keeps it, in words; else empty.
    """

    guard: str
    kind: Literal["absolute", "relative", "query"]
    verdict: Verdict
    e_value: float
    threshold: float
    candidate: Counts
    stable: Counts | None
    sentence: str
    requests_missing: int | None = 0
    stable_breach: str = ""


@dataclass(frozen=True)
class Observation:
    """What happened since the last block was closed.

    Attributes:
        stamp: The moment up to which it is known, in seconds since the epoch.
        candidate: The candidate's traffic.
        stable: Stable's in the same time.
        candidate_tick: The part of the candidate's that was not known at the last look.
        stable_tick: The same of stable's.
        close: Whether the block ends here. Must not depend on what failed.
        comparable: Whether the two may be compared: not just after a change of weight.
        control: Whether stable is meant to get its own requests at present.
        pods: How many of the candidate's pods have reported.
        alone: Whether stable answers all requests, so that there is nothing to learn but how its pods lie apart.
    """

    stamp: float
    candidate: Traffic
    stable: Traffic
    candidate_tick: Traffic
    stable_tick: Traffic
    close: bool
    comparable: bool
    control: bool
    pods: int = 2
    alone: bool = False


def judge(
    config: Config, state: State, seen: Observation, attributions: Mapping[str, Attribution]
) -> tuple[State, dict[str, Attribution], list[Judgement]]:
    """Weighs one block.

    Guards with a fixed maximum weigh open blocks as well, provisionally: their evidence may be looked at after every
    request. The comparison with stable takes closed blocks only, because a scrape that shows one side's requests alone
    carries no evidence and would use up the requests in it.

    Args:
        config: The guards. `state` must hold a test for each (see `allocate_alpha`).
        state: The evidence up to the last closed block.
        seen: What happened since.
        attributions: For each guard with a fixed maximum whether stable fails as well, as returned by the last look.

    Returns:
        The state, with the block in it if that was closed; the attributions; and one judgement per guard.
    """
    fixed, compared = dict(state.absolute), dict(state.relative)
    left: dict[str, Attribution] = {}
    judgements = []
    for guard in absolute_guards(config, Source.REQUESTS):
        name = guard.name
        after, attribution, judgement = judge_absolute(guard, fixed[name], seen, attributions.get(name, Attribution()))
        if seen.close:
            fixed[name] = after
            attribution = Attribution() if after.shared or after.stretch == Block() else attribution
        if seen.alone:
            fixed[name] = replace(fixed[name], spread=_told_alone(guard, fixed[name].spread, seen))
        left[name] = attribution
        judgements.append(judgement)
    for other in relative_guards(config, Source.REQUESTS):
        after_all, judgement = _judge_relative(other, compared[other.name], seen)
        if seen.alone:
            after_all = replace(after_all, spread=_told_alone(other, after_all.spread, seen))
        compared[other.name] = after_all
        judgements.append(judgement)
    return replace(state, absolute=fixed, relative=compared), left, judgements


def judge_absolute(
    guard: AbsoluteGuard, before: AbsoluteState, seen: Observation, attribution: Attribution
) -> tuple[AbsoluteState, Attribution, Judgement]:
    """Return the state if the block ended here, what is known about stable, and the judgement."""
    block = Block(guard.counts(seen.candidate.unpinned), guard.counts(seen.stable.unpinned))
    tick = Block(guard.counts(seen.candidate_tick.unpinned), guard.counts(seen.stable_tick.unpinned))
    after = _weighed(guard, before, block, guard.counts(seen.candidate.pinned), seen)
    over = after.evidence >= 1 / after.alpha
    attribution = attribution.after(tick, after.stretch.candidate, guard.maximum, seen.stamp if over else None)
    if over:
        verdict = _blame(guard, after, seen, attribution, failing=tick.candidate.rate > guard.maximum)
    else:
        verdict = _unblamed(guard, after, seen)
    if seen.candidate.comparable.requests:
        # The design effect of this block was fixed by those before; what it shows counts for the next.
        after = replace(after, spread=before.spread.after([guard.counts(pod) for pod in seen.stable.pods]))
    return _closed(after, block, verdict), attribution, _say_absolute(guard, after, verdict)


def _weighed(
    guard: AbsoluteGuard, before: AbsoluteState, block: Block, pins: Counts, seen: Observation
) -> AbsoluteState:
    """The state with a block in it, and with the pinned requests of the same time.

    What speaks against the candidate counts for less where pods of one revision lie apart: failures that come in
    clusters are fewer than they seem. What withholds blame counts in full.
    """
    effects = before.spread.effect, effect_within([guard.counts(pod) for pod in seen.candidate.pods])
    above = absolute.log_likelihood_ratios(block.candidate, guard.maximum, absolute.ABOVE, effects)
    stable_above = absolute.log_likelihood_ratios(block.stable, guard.maximum, absolute.ABOVE)
    below = absolute.log_likelihood_ratios(block.candidate, guard.maximum, absolute.BELOW)
    pinned = absolute.log_likelihood_ratios(pins, guard.maximum, absolute.ABOVE, effects)
    return replace(
        before,
        pinned=before.pinned.update(pinned) if pins.total else before.pinned,
        pins=before.pins + pins,
        above=before.above.update(above),
        stable_above=before.stable_above.update(stable_above),
        below=before.below.update(below),
        total=before.total + block,
        stretch=before.stretch + block,
    )


def _blame(
    guard: AbsoluteGuard, after: AbsoluteState, seen: Observation, attribution: Attribution, failing: bool
) -> Verdict:
    """The verdict when the candidate is over its maximum: is it the candidate's fault?"""
    stable = after.stretch.stable
    if after.stable_above.evidence >= 1 / SHARED_ALPHA:
        return Verdict.SHARED_INCIDENT
    # One failure of stable's first few requests is no incident if the others went well while the candidate failed.
    if stable.rate > guard.maximum and (stable.events >= A_FEW or not attribution.settled):
        return Verdict.SHARED_INCIDENT
    if guard.latency and guard.latency.of_stable and seen.pods < MIN_PODS:
        return Verdict.POD_CONFOUNDED
    if attribution.settled or not seen.control:
        return Verdict.BREACH
    return Verdict.BREACH if failing and attribution.waited(seen.stamp, stable) else Verdict.NOT_ENOUGH_DATA


def _unblamed(guard: AbsoluteGuard, after: AbsoluteState, seen: Observation) -> Verdict:
    """The verdict when the candidate is not over its maximum."""
    # A shared incident lasts until two blocks together show one of the two within the maximum: one may be luck.
    both = min(after.stretch.candidate.rate, after.stretch.stable.rate) > guard.maximum
    if after.shared and (both or not seen.close):
        return Verdict.SHARED_INCIDENT
    if after.below.evidence < 1 / SPEAK_ALPHA:
        return Verdict.NOT_ENOUGH_DATA
    return Verdict.HEALTHY


def _closed(after: AbsoluteState, block: Block, verdict: Verdict) -> AbsoluteState:
    """The state to keep when a block ends."""
    if verdict is Verdict.SHARED_INCIDENT:
        # What happened to both is not held against the candidate when it is over.
        above, stable_above, pinned = after.above.capped(), after.stable_above.capped(), after.pinned.capped()
        return replace(after, shared=True, above=above, stable_above=stable_above, pinned=pinned, stretch=block)
    # Evidence beyond the threshold is not saved up: if it was no breach by now, good requests shall soon undo it.
    most = len(after.above.log_s) / after.alpha
    return replace(
        after,
        shared=False,
        above=after.above.capped(most),
        pinned=after.pinned.capped(most),
        stretch=Block() if after.above.quiet else after.stretch,
        pins=Counts() if after.pinned.quiet else after.pins,
    )


def _say_absolute(guard: AbsoluteGuard, after: AbsoluteState, verdict: Verdict) -> Judgement:  # noqa: C901 - many cases
    value, threshold = after.evidence, 1 / after.alpha
    counts = after.stretch if value >= threshold or verdict is Verdict.SHARED_INCIDENT else after.total
    verb, allowed, numbers = say.what(guard), say.allowed(guard), say.against(value, threshold)
    missing = requests_missing(after.below, after.total.candidate, guard.maximum)
    only = say.share_of(counts.candidate, "the candidate", verb)
    more = requests_to_decide(value, threshold, counts.candidate, guard.maximum)
    match verdict:
        case Verdict.BREACH:
            sentence = f"{say.both(counts, verb)}: more than {allowed}, {numbers}."
        case Verdict.SHARED_INCIDENT:
            sentence = f"{say.both(counts, verb)}: both are over {allowed}, so the candidate is not blamed."
        case Verdict.POD_CONFOUNDED:
            sentence = f"{say.both(counts, verb)}: more than {allowed}, {say.ONE_POD}."
        case Verdict.HEALTHY:
            sentence = f"{only}: within {allowed}, {numbers}."
        case _ if value >= threshold:
            sentence = f"{say.both(counts, verb)}: more than {allowed}; waiting to see whether stable is hit as well."
        case _ if not counts.candidate.total:
            sentence = f"No request on the new version yet; about {missing:,} are needed."
        case _ if more is not None:
            sentence = f"{only}: more than {allowed} so far; at this rate about {more:,} more requests decide."
        case _ if missing is None:
            sentence = f"{only}: too close to {allowed} to say that it is kept, {numbers}."
        case _:
            sentence = f"{only}: too few to say that {allowed} is kept, about {missing:,} more are needed."
    sentence += _on_spread(after.spread)
    if after.pins.rate > guard.maximum:
        sentence += f" {say.pinned(after.pins, verb)}"
    stable = counts.stable if counts.stable.total else None
    breach = ""
    if verdict is Verdict.HEALTHY and after.stable_above.evidence >= 1 / SHARED_ALPHA:
        breach = f"{say.share_of(after.total.stable, 'stable', verb)}: more than {allowed}, which the candidate keeps."
    return Judgement(
        guard.name, "absolute", verdict, value, threshold, counts.candidate, stable, sentence, missing, breach
    )


def _judge_relative(guard: RelativeGuard, before: RelativeState, seen: Observation) -> tuple[RelativeState, Judgement]:
    after = before
    if seen.close and seen.comparable:
        block = Block(guard.counts(seen.candidate.comparable), guard.counts(seen.stable.comparable))
        within = effect_within([guard.counts(pod) for pod in seen.candidate.pods])
        after = weigh_relative(guard, before, [block], within)
        if after is not before:
            # The design effect of this block was fixed by those before; what it shows counts for the next.
            after = replace(after, spread=before.spread.after([guard.counts(pod) for pod in seen.stable.pods]))
    return closed_relative(after), say_relative(guard, after, seen.control)


def weigh_relative(
    guard: RelativeGuard, before: RelativeState, strata: Sequence[Block], within: float = 1.0
) -> RelativeState:
    """Return the state with a block in it.

    Args:
        guard: The question.
        before: The evidence so far.
        strata: Parts of the block that may only be compared each with itself. They are independent given their sums,
            so their likelihood ratios multiply.
        within: The design effect that the candidate's pods show in the block.
    """
    told = [each for each in strata if each.candidate.total and each.stable.total]
    if not told:
        return before
    ratios = [relative.log_likelihood_ratios(each, guard.psi0, before.spread.effect, within) for each in told]
    block = sum(told, Block())
    return replace(
        before,
        worse=before.worse.update([math.fsum(parts) for parts in zip(*ratios, strict=True)]),
        total=before.total + block,
        stretch=before.stretch + block,
    )


def closed_relative(after: RelativeState) -> RelativeState:
    """Return the state to keep: without the requests of a time that left no evidence."""
    return replace(after, stretch=Block() if after.worse.quiet else after.stretch)


def say_relative(guard: RelativeGuard, after: RelativeState, control: bool) -> Judgement:
    """Return the judgement of a comparison with stable.

    Args:
        guard: The question.
        after: The evidence.
        control: Whether stable is meant to get its own requests at present.
    """
    value, threshold = after.worse.evidence, 1 / after.alpha
    breach = value >= threshold
    counts = after.stretch if breach else after.total
    numbers, factor = say.against(value, threshold), say.times(guard.psi0)
    shares = say.both(counts, guard.event, guard.of)
    if breach:
        verdict = Verdict.BREACH
        sentence = f"{shares}: worse than {factor} stable's odds, {numbers}."
    elif not control:
        verdict = Verdict.NO_CONTROL
        sentence = "Stable gets no comparable requests at present, so the candidate cannot be compared with it."
    elif not counts.candidate.total:
        verdict = Verdict.NOT_ENOUGH_DATA
        sentence = f"Too few comparable {guard.of} on both sides since the weight last changed."
    else:
        verdict = Verdict.HEALTHY
        sentence = f"{shares}: not shown to be worse than {factor} stable's odds, {numbers}."
    sentence += _on_spread(after.spread)
    stable = counts.stable if counts.stable.total else None
    return Judgement(guard.name, "relative", verdict, value, threshold, counts.candidate, stable, sentence)


def _told_alone(guard: AbsoluteGuard | RelativeGuard, spread: Spread, seen: Observation) -> Spread:
    """How far stable's pods lie apart, with what they did since the last look."""
    return spread.after([guard.counts(pod) for pod in seen.stable_tick.pods])


def _on_spread(spread: Spread) -> str:
    """That stable's pods lie apart, where that is notable, as a sentence with a space before it."""
    if spread.effect < NOTABLE:
        return ""
    return (
        f" Stable's own pods differ {spread.effect:.1f} times as much as chance explains, so failures count for that"
        " much less."
    )
