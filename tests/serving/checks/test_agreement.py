"""Golden answers summed up."""

import pytest

from viridian_serving.checks.agreement import agreement
from viridian_serving.checks.golden import Difference


@pytest.mark.parametrize(
    ("different", "least", "passed", "sentence"),
    [
        (0, 1.0, True, "100 of 100 answers are as expected"),
        (1, 1.0, False, "99 of 100 answers are as expected, and all must be: row 0: x is 0"),
        (1, 0.99, True, "99 of 100 answers are as expected: row 0: x is 0"),
        (2, 0.99, False, "98 of 100 answers are as expected, and 99% of them must be: row 0: x is 0; row 1: x is 1"),
        (
            5,
            0.5,
            True,
            "95 of 100 answers are as expected: row 0: x is 0; row 1: x is 1; row 2: x is 2; and 2 more",
        ),
    ],
)
def test_enough_answers_must_be_as_expected(different, least, passed, sentence):
    found = agreement(
        [Difference(f"row {number}", f"x is {number}") if number < different else None for number in range(100)], least
    )
    assert (found.passed, found.sentence) == (passed, sentence)


def test_a_finding_fits_into_a_container_s_last_words():
    found = agreement([Difference(f"row {number}", f"{number}" * 500) for number in range(3)], 1.0)
    assert len(found.sentence) == 900


def test_equal_reasons_are_said_once_with_their_number():
    missing = [
        Difference(f"row {number}", "answered with status 400 and not 200: /x: is missing") for number in range(9)
    ]
    found = agreement([Difference("row 9", "y is 1 and not 2"), *missing, None], 0.9)
    assert found.sentence == (
        "1 of 11 answers are as expected, and 90% of them must be: 9 requests, such as row 0: answered with status 400"
        " and not 200: /x: is missing; row 9: y is 1 and not 2"
    )
