"""Golden answers summed up."""

import pytest

from viridian_serving.checks.agreement import agreement


@pytest.mark.parametrize(
    ("different", "least", "passed", "sentence"),
    [
        (0, 1.0, True, "100 of 100 answers are as expected"),
        (1, 1.0, False, "99 of 100 answers are as expected, and all must be: row 0 differs"),
        (1, 0.99, True, "99 of 100 answers are as expected: row 0 differs"),
        (2, 0.99, False, "98 of 100 answers are as expected, and 0.99 of them must be: row 0 differs; row 1 differs"),
        (
            5,
            0.5,
            True,
            "95 of 100 answers are as expected: row 0 differs; row 1 differs; row 2 differs; and 2 more",
        ),
    ],
)
def test_enough_answers_must_be_as_expected(different, least, passed, sentence):
    told = [f"row {number} differs" if number < different else None for number in range(100)]
    found = agreement(told, least)
    assert (found.passed, found.sentence) == (passed, sentence)


def test_a_finding_fits_into_a_container_s_last_words():
    found = agreement(["x" * 500] * 3, 1.0)
    assert len(found.sentence) == 900
