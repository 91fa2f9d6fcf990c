"""Does the candidate predict something else than stable? A report always, a verdict where a limit is set.

A new model is supposed to differ, so only two things are breaches by default: labels that have become one (more than 99
% of them alike, where stable's are less than 90 %), and numbers that are none. The odds of 99 % are eleven times those
of 90 %, so the first is a comparison by odds ratio as for errors (see `relative`), of the label that was most frequent
before the block: what is bet on has to be known beforehand.

`maxShift` limits the total variation distance, the largest difference between the shares of any set of labels. For the
set that leaned to the candidate before the block, the candidate's share is at most stable's plus the limit wherever the
distance keeps it, so one linear null hypothesis per block will do (see `linear`); `maxClassRatio` likewise, for the
label whose shares were furthest apart, in either direction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from viridian.guards import relative
from viridian.guards import sentences as say
from viridian.guards.answers.confidence import factor_apart
from viridian.guards.answers.counters import CONFIDENCE, NUMBER, Answers
from viridian.guards.answers.linear import Bound, log_e_value
from viridian.guards.config import CLASS_RATIO, SHIFT, Config
from viridian.guards.counts import Block, Counts
from viridian.guards.evidence.eprocess import EProcess
from viridian.guards.judge import Judgement, Verdict
from viridian.guards.state import RelativeState, State

ONE_CLASS: Final = "predictions-oneClass"
NOT_FINITE: Final = "predictions-notFinite"

_ALIKE, _VARIED = 0.99, 0.90
_ODDS: Final = (_ALIKE / (1 - _ALIKE)) / (_VARIED / (1 - _VARIED))
_NOT_FINITE_ODDS: Final = 1.5
_REPORTED: Final = 1.05
"""Shares that surely differ by less than this factor are not worth a sentence."""

Pair = tuple[Answers, Answers]
"""The candidate's and stable's."""


def weigh_predictions(config: Config, state: State, block: Pair, past: Pair) -> State:
    """Return the state with a block of predictions in it.

    Args:
        config: The guards; the tests of the limits are in `state.relative`.
        state: The evidence so far.
        block: What both answered.
        past: What both answered before; it says which labels are looked at.
    """
    broken = dict(state.answers) or _start(config)
    label = max(past[0].classes, key=lambda each: past[0].classes[each], default=None)
    if label is not None:
        broken[ONE_CLASS] = _compare(broken[ONE_CLASS], _block(block, label), _ODDS)
    not_finite = Block(block[0].not_finite, block[1].not_finite)
    broken[NOT_FINITE] = _compare(broken[NOT_FINITE], not_finite, _NOT_FINITE_ODDS)

    limits = dict(state.relative)
    if config.max_shift is not None and SHIFT in limits:
        labels = leaning(past)
        looked = _of(block, labels), _of(past, labels)
        limits[SHIFT] = _update(limits[SHIFT], looked[0], log_e_value(*looked, Bound(slack=config.max_shift)))
    if config.max_class_ratio is not None and CLASS_RATIO in limits and (found := furthest(past)) is not None:
        label, more = found
        now, before = _block(block, label), _block(past, label)
        if not more:  # stable predicts it more often: the same question with the sides swapped
            now, before = Block(now.stable, now.candidate), Block(before.stable, before.candidate)
        value = log_e_value(now, before, Bound(factor=config.max_class_ratio))
        limits[CLASS_RATIO] = _update(limits[CLASS_RATIO], now, value)
    return replace(state, answers=broken, relative=limits)


def judge_predictions(config: Config, state: State, seen: Pair, control: bool) -> Judgement:
    """Return what is to be said about predictions, and whether it blames the candidate.

    Args:
        config: The guards.
        state: The evidence.
        seen: What both have answered since the guards began to look; sentences speak of it.
        control: Whether stable is meant to get its own requests at present.
    """
    candidate, stable = seen
    tests = {**state.answers, **{key: state.relative[key] for key in (SHIFT, CLASS_RATIO) if key in state.relative}}
    nearest = max(tests.values(), key=lambda one: one.worse.evidence * one.alpha, default=None)
    value, threshold = (1.0, 1 / _alpha(config)) if nearest is None else (nearest.worse.evidence, 1 / nearest.alpha)
    why = next((text for key, one in tests.items() if (text := _breach(config, key, one))), "")
    report = describe(seen)
    if why:
        verdict, sentence = Verdict.BREACH, f"{why}, {say.against(value, threshold)}. {report}"
    elif not candidate.predictions or not stable.predictions:
        verdict = Verdict.NOT_ENOUGH_DATA if control else Verdict.NO_CONTROL
        sentence = "No predictions of both candidate and stable to compare yet."
    else:
        verdict, sentence = Verdict.HEALTHY, report
    of_stable = Counts(stable.predictions) if stable.predictions else None
    counts = Counts(candidate.predictions)
    return Judgement("predictions", "relative", verdict, value, threshold, counts, of_stable, sentence)


def describe(seen: Pair) -> str:
    """Return how the predictions of both differ, as far as their number can tell."""
    candidate, stable = seen
    of = f"{candidate.predictions:,} and {stable.predictions:,} predictions"
    if found := _most_apart({label: _both(seen, label) for label in {*candidate.classes, *stable.classes}}):
        label, one, other = found
        return f"Predicts `{label}` {_times(one.rate, other.rate)} ({_against(one, other)}, of {of})."
    for name, what in ((NUMBER, "Predicts at most"), (CONFIDENCE, "Is sure by at most")):
        of_stable = stable.at_most(name)
        bounds = {f"{le:g}": (one, of_stable[le]) for le, one in candidate.at_most(name).items() if le in of_stable}
        if found := _most_apart(bounds):
            bound, one, other = found
            return f"{what} {bound} {_times(one.rate, other.rate)} ({_against(one, other)}, of {of})."
    return f"Predicts as stable does, as far as {of} can tell."


def _most_apart(shares: Mapping[str, tuple[Counts, Counts]]) -> tuple[str, Counts, Counts] | None:
    """The shares that most surely differ, unless none do so worth a sentence."""
    apart = {key: max(factor_apart(one, other), factor_apart(other, one)) for key, (one, other) in shares.items()}
    key = max(sorted(apart), key=lambda each: apart[each], default=None)
    return None if key is None or apart[key] < _REPORTED else (key, *shares[key])


def _both(pair: Pair, label: str) -> tuple[Counts, Counts]:
    return pair[0].of_class(label), pair[1].of_class(label)


def _against(one: Counts, other: Counts) -> str:
    return f"{say.percent(one.rate)} against {say.percent(other.rate)}"


def leaning(past: Pair) -> frozenset[str]:
    """Return the labels that the candidate predicted more often than stable."""
    candidate, stable = past
    return frozenset(
        label for label in candidate.classes if candidate.of_class(label).rate > stable.of_class(label).rate
    )


def furthest(past: Pair) -> tuple[str, bool] | None:
    """Return the label whose shares most surely differ, and whether it is the candidate's that is larger."""
    candidate, stable = past
    apart = {}
    for label in sorted({*candidate.classes, *stable.classes}):
        one, other = candidate.of_class(label), stable.of_class(label)
        apart[label, True], apart[label, False] = factor_apart(one, other), factor_apart(other, one)
    return max(apart, key=lambda each: apart[each], default=None)


def _start(config: Config) -> dict[str, RelativeState]:
    start = EProcess.start(len(relative.ALTERNATIVES))
    alpha = _alpha(config)
    return {ONE_CLASS: RelativeState("x", alpha, start), NOT_FINITE: RelativeState("x", alpha, start)}


def _alpha(config: Config) -> float:
    """What each of the two tests has that are always on."""
    return config.broken_alpha / 2


def _compare(one: RelativeState, block: Block, odds: float) -> RelativeState:
    if not block.candidate.total or not block.stable.total:
        return one
    return _updated(one, block, relative.log_likelihood_ratios(block, odds))


def _update(one: RelativeState, block: Block, log_e: float) -> RelativeState:
    return _updated(one, block, (log_e,))


def _updated(one: RelativeState, block: Block, log_ratios: tuple[float, ...]) -> RelativeState:
    worse = one.worse.update(log_ratios)
    stretch = Block() if worse.quiet else one.stretch + block
    return replace(one, worse=worse, total=one.total + block, stretch=stretch)


def _breach(config: Config, key: str, one: RelativeState) -> str:
    """What a test blames the candidate for, in words; empty where it does not."""
    if one.worse.evidence < 1 / one.alpha:
        return ""
    candidate, stable = one.stretch.candidate.rate, one.stretch.stable.rate
    if key == ONE_CLASS:
        alike = candidate > _ALIKE and stable < _VARIED
        shares = _against(one.stretch.candidate, one.stretch.stable)
        return f"Almost all labels of the candidate are the same, of stable's not ({shares})" if alike else ""
    if key == NOT_FINITE:
        return say.both(one.stretch, "were not finite", "answers")
    if key == SHIFT:
        return f"The labels differ by more than guards.predictions.maxShift ({say.limit(config.max_shift or 0)})"
    factor = say.times(config.max_class_ratio or 0)
    return f"A label is predicted more than {factor} as often on one side (guards.predictions.maxClassRatio)"


def _times(one: float, other: float) -> str:
    if not one or not other:
        return "and stable never does" if one else "never, and stable does"
    factor = one / other
    return f"{factor:.2g} times as often as stable" if factor >= 1 else f"{1 / factor:.2g} times less often than stable"


def _of(pair: Pair, labels: frozenset[str]) -> Block:
    return Block(pair[0].of_classes(labels), pair[1].of_classes(labels))


def _block(pair: Pair, label: str) -> Block:
    return Block(pair[0].of_class(label), pair[1].of_class(label))
