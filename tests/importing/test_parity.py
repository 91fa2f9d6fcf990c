"""When a conversion is faithful."""

import math
from typing import Any

import pytest

from viridian_import.messages import Answers, Output, Role
from viridian_import.prove.parity import Parity, compare

OUTPUTS = [Output("label", Role.LABEL, "predict"), Output("probabilities", Role.PROBABILITIES, "predict_proba")]


def answers(*rows: tuple[Any, list[float]] | str) -> Answers:
    """Each row is answered, or refused with these words."""
    answered = [(None, None) if isinstance(row, str) else row for row in rows]
    values = {"label": [row[0] for row in answered], "probabilities": [row[1] for row in answered]}
    return Answers(values, {i: row for i, row in enumerate(rows) if isinstance(row, str)})


def compared(
    original: Answers, converted: Answers, refusals: dict[int, str] | None = None, required: int = 0
) -> Parity:
    return compare(original, converted, OUTPUTS, refusals or {}, range(required), 1e-4)


def test_equal_answers_are_faithful_and_measured() -> None:
    # when
    parity = compared(
        answers(("a", [0.25, 0.75]), ("b", [0.5, 0.5])), answers(("a", [0.25, 0.75]), ("b", [0.50001, 0.49999]))
    )
    # then
    assert parity.faithful
    assert (parity.compared, parity.disagreements) == (2, 0)
    assert parity.largest == pytest.approx(1e-5)


@pytest.mark.parametrize(
    ("original", "converted", "refusals", "required", "reason"),
    [
        (("a", [1.0, 0.0]), ("b", [1.0, 0.0]), {}, 0, "label is 'a' and not 'b'"),
        (("a", [0.9, 0.1]), ("a", [0.8, 0.2]), {}, 0, "probabilities is [0.9, 0.1] and not [0.8, 0.2]"),
        (("a", [0.9, 0.1]), ("a", [math.nan, 0.1]), {}, 0, "probabilities is [0.9, 0.1] and not [nan, 0.1]"),
        ("ValueError: no", ("a", [1.0, 0.0]), {}, 0, "the original fails (ValueError: no), and the schema lets it in"),
        (("a", [1.0, 0.0]), "no kernel", {}, 0, "ONNX Runtime fails (no kernel)"),
        (("a", [1.0, 0.0]), ("a", [1.0, 0.0]), {0: "x is missing"}, 1, "the schema does not let it in: x is missing"),
    ],
)
def test_a_row_on_which_they_differ_is_named(
    original: Any, converted: Any, refusals: dict[int, str], required: int, reason: str
) -> None:
    (difference,) = compared(answers(original), answers(converted), refusals, required).differences
    assert difference.reason == reason


@pytest.mark.parametrize("original", ["ValueError: no", ("a", [1.0, 0.0])])
def test_a_row_that_nobody_may_send_is_not_compared(original: Any) -> None:
    parity = compared(answers(original), answers(("b", [0.0, 1.0])), {0: "x must be a number, not null"})
    assert parity.faithful
    assert (parity.compared, parity.refused) == (0, int(isinstance(original, str)))


def test_large_numbers_are_compared_by_their_share() -> None:
    outputs = [Output("prediction", Role.NUMBERS, "predict")]
    parity = compare(
        Answers({"prediction": [1e6]}, {}), Answers({"prediction": [1e6 + 50]}, {}), outputs, {}, range(1), 1e-4
    )
    assert parity.faithful
    assert parity.largest == pytest.approx(5e-5)
