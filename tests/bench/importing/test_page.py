"""The page on imported models says what was found."""

from typing import Any

from tests.bench.importing.page import page, summary

EQUAL: dict[str, Any] = {
    "artifact": "mixed, forest",
    "kind": "mixed columns",
    "result": "equal",
    "max_difference": 4.77e-08,
    "label_disagreements": 0,
    "native_us": 58162.4,
    "onnx_us": 37.0,
    "int8_us": None,
    "size_mib": 0.269,
}
NOTHING = dict.fromkeys(("max_difference", "label_disagreements", "native_us", "onnx_us", "int8_us", "size_mib"))
REFUSED = {"artifact": "of text", "kind": "refused", "result": "refused: a | b\nis no way;  use c", **NOTHING}
WRONG = {**REFUSED, "result": "WRONG: row 3"}
UNEXPECTED = {**REFUSED, "kind": "Keras"}


def test_each_model_is_a_row_and_a_refusal_stays_in_its_cell() -> None:
    lines = page([EQUAL, REFUSED]).splitlines()
    assert "2 models: 1 equal to the original; 1 refused with a way out." in lines
    assert lines[-2] == "| mixed, forest | mixed columns | equal | 5e-08 | 58,162 | 37 |  | 0.269 |"
    assert lines[-1] == "| of text | refused | refused: a \\| b is no way; use c |  |  |  |  |  |"


def test_a_wrong_answer_is_counted() -> None:
    assert summary([EQUAL, WRONG]) == "2 models: 1 equal to the original; 0 refused with a way out; 1 wrong."


def test_a_model_that_should_be_imported_and_is_refused_is_wrong() -> None:
    assert summary([EQUAL, UNEXPECTED]) == "2 models: 1 equal to the original; 0 refused with a way out; 1 wrong."
