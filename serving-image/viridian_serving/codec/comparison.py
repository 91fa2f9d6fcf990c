"""How two answers to one input differ, as JSON values."""

import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

_CLOSE: Final = 0.01
"""How far apart numbers may be that still agree: absolute below 1, and relative above. Another training of the same
model differs by less, another model by more."""


class Comparison(NamedTuple):
    """What became of a pair of answers."""

    agrees: bool
    distance: float | None
    """The largest distance between two numbers at the same place, absolute below 1 and relative above; infinite where
    one is no number, None where there are none."""


def compare(wanted: Any, given: Any) -> Comparison:  # noqa: ANN401  JSON values
    """Compare two answers: labels decide where there are any, else numbers do.

    Texts, truth values and whole numbers are labels, and must be the same. Next to labels, numbers are confidences and
    probabilities, by which two models may differ and still agree.

    Args:
        wanted: An answer, or a list of them. What it does not hold is not looked at.
        given: The other one.
    """
    decisive = list(leaves(_decisive(wanted), _decisive(given)))
    labels = [pair for pair in decisive if not isinstance(pair[1], float)]
    agrees = not any(_differ(one, other, _CLOSE) for _, one, other in labels or decisive)
    distances = [distance(one, other) for _, one, other in leaves(wanted, given) if isinstance(one, float)]
    return Comparison(agrees, max(distances, default=None))


def differences(wanted: Any, given: Any, tolerance: float) -> Iterator[str]:  # noqa: ANN401
    """Return what differs from what is wanted, each as a clause.

    Args:
        wanted: JSON. Members that it does not hold are not looked at.
        given: JSON.
        tolerance: How far apart numbers may be: absolute below 1, and relative above.
    """
    for where, one, other in leaves(wanted, given):
        if _differ(one, other, tolerance):
            yield f"{where} is {_shown(other)} and not {_shown(one)}"


def leaves(wanted: Any, given: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401
    """Return the values at the same places of two JSON values, with the place; what differs in form as it is.

    Args:
        wanted: Members that it does not hold are not looked at.
        given: The other one.
        where: The place of both.
    """
    if isinstance(wanted, dict) and isinstance(given, dict):
        for name, value in wanted.items():
            yield from leaves(value, given.get(name), f"{where}.{name}".lstrip("."))
    elif isinstance(wanted, list) and isinstance(given, list) and len(wanted) == len(given):
        for position, pair in enumerate(zip(wanted, given, strict=True)):
            yield from leaves(*pair, f"{where}[{position}]")
    else:
        yield where, wanted, given


def distance(one: float, other: Any) -> float:  # noqa: ANN401
    """How far a JSON value is from a number: absolute below 1, relative above, infinite where it is no number."""
    if not isinstance(other, int | float) or isinstance(other, bool) or not math.isfinite(one - other):
        return math.inf
    return abs(one - other) / max(1.0, abs(one))


def _decisive(answer: Any) -> Any:  # noqa: ANN401
    """The part of an answer that says whether another one agrees: what is predicted, where it is known what that is."""
    if isinstance(answer, list):
        return [_decisive(each) for each in answer]
    return answer["prediction"] if isinstance(answer, dict) and "prediction" in answer else answer


def _differ(one: Any, other: Any, tolerance: float) -> bool:  # noqa: ANN401
    if isinstance(one, float) and isinstance(other, int | float) and not isinstance(other, bool):
        return not math.isclose(one, other, rel_tol=0, abs_tol=tolerance * max(1.0, abs(one)))
    return bool(one != other)


def _shown(value: Any) -> str:  # noqa: ANN401
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:199]}…"
