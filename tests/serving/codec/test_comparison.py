"""Whether two answers to one input agree, and how far apart their numbers are."""

import math
from typing import Any

import pytest

from viridian_serving.codec.comparison import compare, differences


def label(prediction: Any, *probabilities: float) -> list[dict[str, Any]]:
    return [{"prediction": prediction, "confidence": max(probabilities), "probabilities": list(probabilities)}]


def number(value: Any) -> list[dict[str, Any]]:
    return [{"prediction": value}]


@pytest.mark.parametrize(
    ("stable", "candidate", "agrees", "distance"),
    [
        # labels decide, and their probabilities are only measured
        (label("a", 0.9, 0.1), label("a", 0.6, 0.4), True, 0.3),
        (label("a", 0.6, 0.4), label("b", 0.4, 0.6), False, 0.2),
        (label(3, 0.9, 0.1), label(3, 0.9, 0.1), True, 0.0),
        (number(value=True), number(value=False), False, None),
        (
            [{"prediction": {"label": ["a"], "score": [0.2]}}],
            [{"prediction": {"label": ["a"], "score": [0.9]}}],
            True,
            0.7,
        ),
        # without labels, numbers do: within 0.01, or one percent above 1
        (number(0.5), number(0.509), True, 0.009),
        (number(0.5), number(0.52), False, 0.02),
        (number(200.0), number(201.5), True, 0.0075),
        (number(200.0), number(203.0), False, 0.015),
        (number([1.0, 2.0]), number([1.0, 2.5]), False, 0.25),
        # another form is another answer
        (number(0.5), number("0.5"), False, math.inf),
        (number(0.5), number(None), False, math.inf),
        (number(0.5), [{"verdict": 0.5}], False, math.inf),
        (number(0.5), None, False, None),
        (number(0.5), number(0.5) * 2, False, None),
        (number([1.0, 2.0]), number([1.0]), False, None),
        # what the inference protocol answers is tensors
        ({"y": [[1.0]], "z": [[2.0]]}, {"y": [[1.0]], "z": [[2.0]], "more": [[3.0]]}, True, 0.0),
        ({"label": [["a"]], "p": [[0.2, 0.8]]}, {"label": [["a"]], "p": [[0.3, 0.7]]}, True, 0.1),
        ({"y": [[1.0]]}, {"x": [[1.0]]}, False, None),
        ({"y": [[math.nan]]}, {"y": [[1.0]]}, False, math.inf),
        # what is kept back decides nothing
        ([{"confidence": 0.9}], [{"confidence": 0.9}], True, 0.0),
    ],
)
def test_two_answers(stable: Any, candidate: Any, agrees: bool, distance: float | None) -> None:
    found = compare(stable, candidate)
    assert found.agrees is agrees
    assert found.distance == (None if distance is None else pytest.approx(distance))


def test_members_of_one_request_are_not_compared() -> None:
    answer = {"prediction": "a", "request_id": "1", "feedback_token": "x", "revision": "iris-2"}
    assert compare([{"prediction": "a"}], [answer]).agrees


def test_a_difference_names_its_place_and_both_values() -> None:
    found = differences({"predictions": [{"prediction": "a"}]}, {"predictions": [{"prediction": "b" * 300}]}, 0.0)
    (told,) = found
    assert told.startswith("predictions[0].prediction is 'bbb")
    assert told.endswith("… and not 'a'")
