"""What a new version refuses that clients of the old one may send."""

import pytest

from viridian_serving.checks.schema_change import refusals

AGE = {"name": "age", "type": "number", "shape": [], "min": 0, "max": 120}
PLAN = {"name": "plan", "type": "string", "shape": [], "categories": ["basic", "plus"], "max_length": 20}


def schema(*features: dict[str, object]) -> dict[str, object]:
    return {"features": list(features)}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ([AGE, PLAN], [AGE, PLAN], []),
        ([AGE, PLAN], [AGE], ["plan, which is an input no more"]),
        ([AGE], [AGE, PLAN], ["requests without plan, which is a new input"]),
        ([AGE], [AGE | {"min": 18}], ["age below 18"]),
        ([AGE], [AGE | {"max": 99}], ["age above 99"]),
        ([AGE], [AGE | {"max": 150, "min": -1}], []),
        ([{**AGE, "min": None}], [AGE], ["age below 0"]),
        ([AGE], [AGE | {"type": "integer"}], ["age as number, and takes integer"]),
        ([AGE | {"type": "integer"}], [AGE], []),
        ([AGE], [AGE | {"shape": [2]}], ["age of shape [], and takes [2]"]),
        ([PLAN], [PLAN | {"categories": ["plus", "max"]}], ["plan 'basic'"]),
        ([PLAN], [PLAN | {"categories": ["plus", "max", "basic"]}], []),
        ([{**PLAN, "categories": None}], [PLAN], ["plan outside its categories"]),
        ([PLAN], [PLAN | {"max_length": 10}], ["plan longer than 10 characters"]),
        ([AGE | {"nullable": True}], [AGE], ["age as null"]),
        ([AGE], [AGE | {"nullable": True}], []),
    ],
)
def test_what_is_refused_now_is_told(before, after, told):
    assert refusals(schema(*before), schema(*after)) == told
