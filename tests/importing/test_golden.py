"""Golden requests and what their answers must hold."""

import json
from typing import Any

import pytest

from viridian_serving.checks.golden import Golden, difference, dump, load

LINE = Golden("row 1", {"x": 1}, 200, {"prediction": "a", "probabilities": {"a": 0.75, "b": 0.25}}, 1e-3)


def test_what_is_written_is_read_again() -> None:
    lines = [LINE, Golden("x is missing", {"x": None}, 400)]
    assert load(dump(lines)) == lines


def test_a_line_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match=r"line 2 of golden\.jsonl cannot be used"):
        load(dump([LINE]) + b"{}\n")


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, {"prediction": "a", "probabilities": {"a": 0.7505, "b": 0.2495}, "model": "m"}, None),
        (200, {"prediction": "b", "probabilities": {"a": 0.75, "b": 0.25}}, "row 1: prediction is 'b' and not 'a'"),
        (
            200,
            {"prediction": "a", "probabilities": {"a": 0.76, "b": 0.24}},
            "row 1: probabilities.a is 0.76 and not 0.75",
        ),
        (200, {"prediction": "a"}, "row 1: probabilities is None and not {'a': 0.75, 'b': 0.25}"),
        (
            400,
            {
                "type": "urn:viridian:problem:invalid-input",
                "detail": "2 fields are wrong.",
                "error": "2 fields are wrong.",
                "errors": [
                    {"pointer": "/petal_width", "detail": "is missing; send a number"},
                    {"pointer": "", "detail": "has an unknown field"},
                ],
            },
            "row 1: answered with status 400 and not 200: /petal_width: is missing; send a number; the body: has an"
            " unknown field",
        ),
        (503, {"detail": "Not ready."}, "row 1: answered with status 503 and not 200: Not ready."),
        (500, {"title": "no"}, 'row 1: answered with status 500 and not 200: \'{"title": "no"}\''),
    ],
)
def test_an_answer_is_held_against_its_line(status: int, body: dict[str, Any], told: str | None) -> None:
    found = difference(LINE, status, json.dumps(body).encode())
    assert (None if found is None else f"{found}") == told
