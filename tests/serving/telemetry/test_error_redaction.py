"""The model's own words about a failure, without what a client sent."""

import json
import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viridian_serving.telemetry.error_redaction import LONGEST, redacted, texts_of

NAMES = frozenset({"age", "city", "y"})
FROM_TRITON = (
    "Failed to process the request(s) for model 'm_0', message: ValueError: could not convert string to float: 'Meier'"
    "\n\nAt:\n  /run/repository/m/1/model.py(11): execute\n"
)
FROM_ONNX = (
    "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Non-zero status code returned while running Gather node. Name:''"
    " Status Message: indices element out of data bounds, idx=9 must be within the inclusive range [-2,1]"
)


def told(said: str, *instances: Any, sensitive: bool = False) -> str:
    bodies = [json.dumps(each).encode() for each in instances or ({},)]
    return redacted(said, [texts_of(body) for body in bodies], NAMES, sensitive=sensitive)


@pytest.mark.parametrize(
    ("said", "instance", "sentence"),
    [
        (FROM_TRITON, {}, "ValueError: could not convert string to float"),
        ("KeyError: 'Graz'", {}, "KeyError"),
        ("KeyError: 'city'", {}, "KeyError: 'city'"),
        ("KeyError: 'city'", {"age": "city"}, "KeyError"),
        ("TypeError: unsupported operand type(s) for +: 'int' and 'str'", {},
         "TypeError: unsupported operand type(s) for +: 'int' and 'str'"),
        ("IndexError: index 3 is out of bounds for axis 0 with size 2", {},
         "IndexError: index … is out of bounds for axis … with size"),
        ("output 'y' has shape [3, 2] for 4 instances", {}, "output 'y' has shape […] for … instances"),
        ("RuntimeError: no city Graz am See here", {"city": "graz AM see"}, "RuntimeError: no city … here"),
        ("RuntimeError: no city GrazAmSee", {"city": "Graz am See"}, "RuntimeError: no city"),
        ("RuntimeError: no city Gra", {"city": "Graz am See"}, "RuntimeError: no city"),
        ("RuntimeError: O'Brien is nobody", {"name": "O'Brien"}, "RuntimeError: … is nobody"),
        ("RuntimeError: nobody is called Grün or 李", {}, "RuntimeError: nobody is called … or"),
        ("RuntimeError: the sex is f here", {"sex": "f"}, "RuntimeError: the sex is … here"),
        ("RuntimeError: it is True not False", {"member": True}, "RuntimeError: it is … not False"),
        ("RuntimeError: it is None", {"age": None}, "RuntimeError: it is"),
        ("RuntimeError: id a81f-77c0@example", {}, "RuntimeError: id …@example"),
        ("RuntimeError: b'abc' and \"it's\" and `x`", {}, "RuntimeError: … and … and"),
        ("RuntimeError: the text 'ends no", {}, "RuntimeError: the text"),
        ("RuntimeError: said 'it\\'s Meier\\'s' twice", {}, "RuntimeError: said … twice"),
        ("RuntimeError: " + "x" * 50, {}, "RuntimeError"),
        ("ZeroDivisionError: division by zero", {}, "ZeroDivisionError: division by zero"),
        ("RuntimeError", {}, "RuntimeError"),
        ("'x' 12", {}, ""),
        ("", {}, ""),
    ],
)  # fmt: skip
def test_what_is_left_of_the_model_s_words(said: str, instance: dict[str, Any], sentence: str) -> None:
    assert told(said, instance) == sentence


def test_an_error_of_onnx_runtime_keeps_what_it_is_about() -> None:
    sentence = told(FROM_ONNX, {"i": 9})
    assert "running Gather node" in sentence
    assert "indices element out of data bounds" in sentence
    assert not re.search(r"\d", sentence)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (FROM_TRITON, "ValueError"),
        (FROM_ONNX, "ONNXRuntimeError"),
        ("my.module.CityError: no city", "CityError"),
        ("no such floor", ""),
    ],
)
def test_where_a_feature_is_sensitive_only_the_kind_of_the_error_is_told(said: str, kind: str) -> None:
    assert told(said, {"city": "Graz"}, sensitive=True) == kind


def test_not_even_that_where_it_stands_in_the_request() -> None:
    assert told("MeierError: no", {"name": "MeierError"}, sensitive=True) == ""


@pytest.mark.parametrize("body", [b"x" * 70_000, b'{"t": "' + b"x" * 70_000 + b'"}'])
def test_of_a_request_that_is_too_large_to_be_compared_only_the_kind_is_told(body: bytes) -> None:
    assert texts_of(body) is None
    assert redacted("ValueError: no city Graz", [texts_of(body)], NAMES, sensitive=False) == "ValueError"


def test_requests_that_shared_a_call_share_its_error_and_neither_s_words_are_told() -> None:
    assert told("RuntimeError: no city Graz", {"city": "Basel"}, {"city": "Graz"}) == "RuntimeError: no city"


def test_of_the_inference_protocol_what_the_tensors_hold_is_compared() -> None:
    tensor = {"name": "city", "datatype": "BYTES", "shape": [1, 1], "data": ["Graz"]}
    said, body = "RuntimeError: city Graz has no shape", json.dumps({"inputs": [tensor]}).encode()
    assert (
        redacted(said, [texts_of(body, protocol=True)], NAMES, sensitive=False) == "RuntimeError: city … has no shape"
    )
    # and so it is when they are binary, or the whole is
    header = json.dumps({"inputs": [{**tensor, "data": []}]}).encode()
    binary = texts_of(header + b"\4\0\0\0Graz", len(header), protocol=True)
    assert redacted(said, [binary], NAMES, sensitive=False) == "RuntimeError: city … has no shape"
    assert "Graz" not in redacted(said, [texts_of(b"\xff\0Graz\x12")], NAMES, sensitive=False)


WORDS = st.text(string.ascii_letters + "äöü'\"-_ .,", min_size=1, max_size=30)
TEMPLATES = st.sampled_from(
    ["ValueError: no city {}", "KeyError: {!r}", "{} is not known", "bad ({}) and <{}>", "city={};", "{}", "x{}y {}"]
)


@given(st.dictionaries(st.sampled_from("abc"), st.one_of(WORDS, st.lists(WORDS)), min_size=1), TEMPLATES, st.data())
def test_no_word_of_a_request_is_ever_told(instance: dict[str, Any], template: str, data: st.DataObject) -> None:
    # given an error that says some of what was sent, as it came or in other letters
    texts = [text for value in instance.values() for text in (value if isinstance(value, list) else [value])]
    values = [data.draw(st.sampled_from(texts or ["-"])) for _ in range(template.count("{"))]
    said = template.format(*(data.draw(st.sampled_from([v, v.upper(), v.lower()])) for v in values))
    # then no word of it is left
    left = {word.casefold() for word in re.findall(r"\w+", told(said, instance))}
    assert left.isdisjoint(word.casefold() for text in texts for word in re.findall(r"\w+", text))


@given(st.text(max_size=3000), st.booleans())
def test_a_sentence_is_short_printable_and_without_a_number(said: str, sensitive: bool) -> None:
    sentence = told(said, sensitive=sensitive)
    assert len(sentence) <= LONGEST
    assert sentence.isprintable()
    assert not re.search(r"\d", sentence)
