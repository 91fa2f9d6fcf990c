"""What a comparison of two versions shows, in sentences."""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from viridian_shared.drift import PRACTICAL, Kind
from viridian_shared.durations import format_duration
from viridian_shared.words import count

from .bins import KEEP_BINS
from .versions import Comparison

_MOST_NAMES: Final = 5


def heading(found: Comparison) -> str:
    """Return what is compared, and of which time."""
    pair, window = found.pair, format_duration(found.window)
    if pair.replaced is None:
        return f"{pair.newer} against {pair.other}, which serve side by side: the last {window}."
    return (
        f"The last {window} of {pair.newer} against the last {window} of {pair.other}, which was replaced at"
        f" {pair.replaced:%Y-%m-%d %H:%M} UTC."
    )


def findings(found: Comparison, now: datetime) -> list[str]:
    """Return what the comparison shows, and what it cannot show."""
    return [*_differences(found), *_too_few(found), *_bins(found), *_short(found, now)]


def _differences(found: Comparison) -> Iterator[str]:
    pair = found.pair
    features, predictions = (
        [each.name for each in found.variables if each.drifts and each.kind == kind]
        for kind in (Kind.FEATURE, Kind.PREDICTION)
    )
    newer, other = pair.newer.version, pair.other.version
    if not features and not predictions:
        yield f"None of {len(found.variables)} differs: each PSI is below {PRACTICAL}, or what chance may do."
    if features and pair.is_side_by_side:
        yield (
            f"Requests are not split at random: {newer} and {other} get other values of {_named(features)}. Look for"
            " clients that stay with one version, pinned users, and requests that one version fails or refuses."
        )
    elif features:
        yield f"Users send something else than {other} was sent: {_named(features)}."
    if predictions and features:
        yield (
            f"{newer} answers otherwise than {other}: {_named(predictions)}. How much of that comes from what it is"
            " sent, these counts do not tell."
        )
    elif predictions:
        yield (
            f"{newer} answers otherwise than {other} to requests in which no feature differs: {_named(predictions)}."
            " That is what the new version changes."
        )


def _too_few(found: Comparison) -> Iterator[str]:
    short = [each for each in found.variables if each.needed > 1]
    if not short:
        return
    worst = max(short, key=lambda each: each.needed)
    more = count(_two_digits((worst.needed - 1) * worst.values), "value")
    longer = format_duration(timedelta(hours=math.ceil(worst.needed * found.window / timedelta(hours=1))))
    how = "with the weights as they are" if found.pair.is_side_by_side else f"as in a --window of {longer}"
    yield (
        f"Too few values to tell a PSI of {PRACTICAL} from chance ({_named([each.name for each in short])}):"
        f" {found.pair.newer.version} needs about {more} more, {how}."
    )


def _bins(found: Comparison) -> Iterator[str]:
    if found.joined:
        yield f"Compared on the bins that both baselines have, which are fewer: {_named(found.joined)}."
    if found.left_out:
        yield f"Not compared, since the baselines have no bins in common: {_named(found.left_out)}. {KEEP_BINS}."


def _short(found: Comparison, now: datetime) -> Iterator[str]:
    begun = found.pair.begun
    if begun is not None and now - begun < found.window:
        served = timedelta(seconds=round((now - begun).total_seconds()))
        yield (
            f"{found.pair.newer.version} has all traffic for {format_duration(served)} only, less than"
            f" {format_duration(found.window)}: another time of the day or week may look like a change."
        )


def _two_digits(number: float) -> int:
    """Return a number rounded up to two digits, in which nobody sees more than an estimate."""
    unit = int(math.pow(10, max(0, math.floor(math.log10(number)) - 1)))
    return math.ceil(number / unit) * unit


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join((*names[:_MOST_NAMES], *([f"{more} more"] if more > 0 else ())))
