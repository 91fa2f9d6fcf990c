"""Bodies of /predict: what is taken, and what is said about the rest."""

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from viridian_serving.codec.features import RequestSchema
from viridian_serving.codec.instances import MAX_VIOLATIONS, InstanceReader
from viridian_serving.codec.oip import Encoded
from viridian_serving.codec.tensors import DataType, ModelSchema, Tensor
from viridian_serving.http1.problems import Problem

OUT = (Tensor("y", DataType.FP32, (1,)),)
ROW = ModelSchema((Tensor("X", DataType.FP32, (3,)),), OUT, 8)
COLUMNS = ModelSchema(
    (
        Tensor("age", DataType.INT64, (1,)),
        Tensor("in come", DataType.FP32, (1,)),
        Tensor("city", DataType.BYTES, (1,)),
        Tensor("member", DataType.BOOL, (1,)),
    ),
    OUT,
    8,
)
IMAGE = ModelSchema((Tensor("X", DataType.UINT8, (2, 2)),), OUT, 8)
SEQUENCE = ModelSchema((Tensor("ids", DataType.INT32, (-1,)),), OUT, 8)
SCALAR = ModelSchema((Tensor("x", DataType.FP64, ()),), OUT, 1)
SCHEMAS = {"row": ROW, "columns": COLUMNS, "image": IMAGE, "sequence": SEQUENCE, "scalar": SCALAR}


def read(schema: ModelSchema, body: object, limit: int = 10) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return InstanceReader(RequestSchema.of(schema), limit).read(raw)


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def length_prefixed(text: str) -> bytes:
    return struct.pack("<I", len(text.encode())) + text.encode()


@pytest.mark.parametrize(
    "body",
    [{"X": [1, 2.5, -3]}, [1, 2.5, -3], b'  {"X":[1,2.5,-3e0]} ', b"\n[1, 2.5,\t-3]"],
    ids=["object", "bare", "object with blanks", "bare with blanks"],
)
def test_one_instance(body: object) -> None:
    # when
    instances = read(ROW, body)
    # then
    assert not instances.many
    (encoded,) = instances.encoded
    assert (encoded.rows, encoded.shapes, encoded.tensors) == (1, ((3,),), (floats(1, 2.5, -3),))


@pytest.mark.parametrize(
    "body", [[{"X": [1, 2, 3]}, {"X": [4, 5, 6]}], [[1, 2, 3], [4, 5, 6]]], ids=["objects", "bare"]
)
def test_a_list_of_instances_becomes_one_tensor(body: object) -> None:
    instances = read(ROW, body)
    assert instances.many
    (encoded,) = instances.encoded
    assert (encoded.rows, encoded.tensors) == (2, (floats(1, 2, 3, 4, 5, 6),))


def test_a_list_of_one_is_still_a_list() -> None:
    assert read(ROW, [{"X": [1, 2, 3]}]).many


def test_columns_need_no_lists() -> None:
    # when
    plain = read(COLUMNS, {"age": 42, "in come": 1.5, "city": "Köln", "member": True})
    listed = read(COLUMNS, {"age": [42], "in come": [1.5], "city": ["Köln"], "member": [True]})
    # then
    expected = (struct.pack("<q", 42), floats(1.5), length_prefixed("Köln"), b"\x01")
    assert plain.encoded[0].tensors == listed.encoded[0].tensors == expected


def test_nested_lists_are_laid_out_in_a_row() -> None:
    assert read(IMAGE, {"X": [[1, 2], [3, 255]]}).encoded[0].tensors == (bytes([1, 2, 3, 255]),)
    assert read(IMAGE, [[1, 2], [3, 4]]).encoded[0].tensors == (bytes([1, 2, 3, 4]),)
    assert read(IMAGE, [[[1, 2], [3, 4]]]).many


@pytest.mark.parametrize("dims", [(3, 2, 40), (3, 2, -1), (-1, -1, -1)], ids=["fixed", "open width", "open"])
def test_the_lists_of_an_image_are_laid_out_in_a_row(dims: tuple[int, ...]) -> None:
    # given an image that is wider than any number of columns
    numbers = np.arange(3 * 2 * 40, dtype=np.float32).reshape(3, 2, 40)
    reader = InstanceReader(RequestSchema.of(ModelSchema((Tensor("X", DataType.FP32, dims),), OUT, 8)), 10)
    # when
    instances = reader.read_fast(json.dumps({"X": numbers.tolist()}).encode())
    # then
    assert instances is not None
    assert instances.encoded == [Encoded(((3, 2, 40),), 1, (numbers.tobytes(),))]
    # and one with a list that is shorter than the others is left to the careful reader, which names it
    ragged = numbers.tolist()
    ragged[1][1].pop()
    body = json.dumps({"X": ragged}).encode()
    assert reader.read_fast(body) is None
    with pytest.raises(Problem) as raised:
        reader.read_carefully(body)
    assert [violation.pointer for violation in raised.value.errors] == ["/X/1/1"]


def test_instances_of_different_lengths_travel_apart() -> None:
    instances = read(SEQUENCE, [{"ids": [1, 2]}, {"ids": [3, 4]}, {"ids": [5]}])
    assert [(part.rows, part.shapes) for part in instances.encoded] == [(2, ((2,),)), (1, ((1,),))]


def test_a_long_list_is_cut_into_what_the_model_takes_in_one_call() -> None:
    instances = read(ROW, [[1, 2, 3]] * 20, limit=100)
    assert [part.rows for part in instances.encoded] == [8, 8, 4]


@pytest.mark.parametrize(
    ("schema", "body", "name"),
    [
        ("row", b'{"X":[1,2,3],"X":[1,2,3]}', "X"),
        ("row", b'{"X":[1,2,3],"\\u0058":[1,2,3]}', "X"),
        ("row", b'[{"X":[1,2,3]},{"X":[1,2,3],"X":[1,2,3]}]', "X"),
        ("columns", b'{"age":1,"in come":1,"city":"x","member":false,"age":2}', "age"),
        ("columns", b'{"age":1,"in come":1,"city":"x","city":"\\"","member":false}', "city"),
    ],
)
def test_a_member_that_is_there_twice_is_refused(schema: str, body: bytes, name: str) -> None:
    with pytest.raises(Problem) as problem:
        read(SCHEMAS[schema], body)
    assert problem.value.status == 400
    assert f"has the member '{name}' twice" in problem.value.body("id").decode()


def test_quotes_in_texts_are_no_members() -> None:
    reader = InstanceReader(RequestSchema.of(SCHEMAS["columns"]), 10)
    for city in ('"age":', "", "\\", '"'):
        one = {"age": 1, "in come": 1, "city": city, "member": False}
        for body in (one, [one, one]):
            assert reader.read_fast(json.dumps(body).encode()) is not None


@pytest.mark.parametrize(
    ("schema", "body", "errors"),
    [
        ("row", {"X": [1, 2]}, {"/X": "must hold 3 elements and holds 2"}),
        ("row", {"X": [1, 2, 3, 4]}, {"/X": "must hold 3 elements and holds 4"}),
        ("row", {}, {"/X": "is missing; it must be a list of 3 numbers"}),
        ("row", {"X": 5}, {"/X": "must be a list of 3 numbers, not a number"}),
        ("row", {"X": None}, {"/X": "must be a list of 3 numbers, not null"}),
        ("row", {"X": [1, "2", 3]}, {"/X/1": "must be a number, not a string"}),
        ("row", {"X": [1, True, 3]}, {"/X/1": "must be a number, not true"}),
        ("row", {"X": [[1], {}, 3]}, {"/X/0": "not a list", "/X/1": "not an object"}),
        ("row", b'{"X":[NaN,1,-Infinity]}', {"/X/0": "finite number, not nan", "/X/2": "finite number, not -inf"}),
        ("row", b'{"X":[1e39,1,1]}', {"/X/0": "out of the range of FP32"}),
        ("row", b'{"X":[1e999,1,1]}', {"/X/0": "finite number"}),
        ("row", {"X": [1, 2, 3], "Y": 1, "a/b~c": 2}, {"/Y": "not an input", "/a~1b~0c": "not an input"}),
        ("row", [{"X": [1, 2, 3]}, {"X": [1]}, {}], {"/1/X": "holds 1", "/2/X": "is missing"}),
        ("row", [[1, 2, 3], [1, 2, "x"]], {"/1/2": "must be a number"}),
        ("row", [[1, 2, 3], 5], {"/1": "must be a list of 3 numbers"}),
        (
            "columns",
            {"age": 1.5, "in come": "x", "city": 3, "member": 0},
            {
                "/age": "must be a whole number, not 1.5",
                "/in come": "must be a number",
                "/city": "must be a string",
                "/member": "must be true or false",
            },
        ),
        (
            "columns",
            {"age": 2**63, "in come": 1, "city": "x", "member": False},
            {"/age": "is out of the range of INT64"},
        ),
        ("columns", b'{"age":1,"in come":1,"city":"\\ud800","member":false}', {"/city": "half of a surrogate pair"}),
        ("row", b'{"X":[1,2,3],"\\ud800":1}', {"/\\ud800": "not an input"}),
        ("image", {"X": [[1, 2], [3]]}, {"/X/1": "must hold 2 elements and holds 1"}),
        ("image", {"X": [[1, 2], [3, 256]]}, {"/X/1/1": "out of the range of UINT8"}),
        ("image", {"X": [1, 2]}, {"/X/0": "must be a list of 2 whole numbers", "/X/1": "must be a list"}),
        ("scalar", {"x": [1, 2]}, {"/x": "must hold 1 elements"}),
    ],
)
def test_every_offending_field_is_named(schema: str, body: object, errors: dict[str, str]) -> None:
    # when
    with pytest.raises(Problem) as problem:
        read(SCHEMAS[schema], body)
    # then
    assert problem.value.status == 400
    found = {violation.pointer: violation.detail for violation in problem.value.errors}
    assert found.keys() == errors.keys()
    assert all(wanted in found[pointer] for pointer, wanted in errors.items())
    assert json.loads(problem.value.body("id"))["errors"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"X":[1,2,3]} tail', "not JSON"),
        (b"\xff\xfe\xfa", "not UTF-8"),
        (b"[" * 100_000, "nested more than 64 levels deep"),
        (b"5", "neither an instance nor a list"),
        (b'"text"', "neither an instance nor a list"),
        (b"null", "neither an instance nor a list"),
        (b"[]", "no instance"),
        (b"9" * 5000, "not JSON"),
    ],
)
def test_what_is_no_instance_at_all(body: bytes, detail: str) -> None:
    with pytest.raises(Problem) as problem:
        read(ROW, body)
    assert problem.value.status == 400
    assert detail in problem.value.detail


def test_too_many_instances_are_refused_before_they_are_read() -> None:
    with pytest.raises(Problem) as problem:
        read(ROW, [[1, 2, 3]] * 11)
    assert problem.value.status == 413
    assert "the limit of 10" in problem.value.detail


def test_the_list_of_errors_is_bounded() -> None:
    with pytest.raises(Problem) as problem:
        read(ROW, [["x", "x", "x"]] * 100, limit=100)
    assert len(problem.value.errors) == MAX_VIOLATIONS
    assert problem.value.extra_errors == 200


def test_a_bare_value_needs_a_single_input() -> None:
    with pytest.raises(Problem, match="400") as problem:
        read(COLUMNS, [1, 2, 3, 4])
    assert "'age', 'in come', 'city', 'member'" in problem.value.detail


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["X", "ids", "x", "y"]), inner),
    max_leaves=12,
)
likely = st.lists(st.integers(-2, 300) | st.floats(width=16) | st.booleans(), min_size=1, max_size=4)
bodies = json_values | likely | likely.map(lambda row: {"X": row}) | st.lists(likely, max_size=3)


@given(st.sampled_from(["row", "image", "sequence", "scalar"]), bodies, st.booleans())
def test_the_fast_reader_takes_only_what_the_careful_one_takes(name: str, body: object, padded: bool) -> None:
    # given
    reader = InstanceReader(RequestSchema.of(SCHEMAS[name]), 10)
    raw = json.dumps(body).encode()
    raw = b" \n" + raw if padded else raw
    # when
    try:
        careful = reader.read_carefully(raw)
    except Problem:
        careful = None
    try:
        either = reader.read(raw)
    except Problem:
        either = None
    # then
    assert (careful is None) == (either is None)
    if careful is not None and either is not None:
        assert careful.many == either.many
        assert [(e.shapes, e.rows, e.tensors) for e in careful.encoded] == [
            (e.shapes, e.rows, e.tensors) for e in either.encoded
        ]


@pytest.mark.parametrize("wrapper", ["instances", "inputs", "data"])
def test_what_other_servers_put_around_instances_is_told_apart(wrapper: str) -> None:
    with pytest.raises(Problem) as error:
        read(ROW, {wrapper: [{"X": [1, 2, 3]}]})
    details = {each.pointer: each.detail for each in error.value.errors}
    assert "send the instance itself, or a list of instances" in details[f"/{wrapper}"]


def test_a_missing_number_leads_to_nullable() -> None:
    with pytest.raises(Problem) as error:
        read(ROW, {"X": [1, None, 3]})
    assert "nullable: true in schema.yaml" in error.value.errors[0].detail


OF_ONE = ModelSchema.from_triton(
    {
        "max_batch_size": 0,
        "input": [{"name": "X", "data_type": "TYPE_FP32", "dims": [1, 2, 2]}],
        "output": [{"name": "y", "data_type": "TYPE_FP32", "dims": [1, 1]}],
    }
)


@pytest.mark.parametrize("value", [[[1, 2], [3, 4]], [[[1, 2], [3, 4]]]], ids=["bare", "in a batch of one"])
def test_a_model_made_for_one_instance_takes_the_batch_around_it(value: list[Any]) -> None:
    # given
    reader = InstanceReader(RequestSchema.of(OF_ONE), 10)
    body = json.dumps({"X": value}).encode()
    # then both readers agree
    for instances in (reader.read_fast(body), reader.read_carefully(body)):
        assert instances is not None
        (encoded,) = instances.encoded
        assert (encoded.shapes, encoded.tensors) == (((2, 2),), (floats(1, 2, 3, 4),))


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ([[[1, 2], [3, 4]], [[1, 2], [3, 4]]], "must be a number, not a list"),
        ([[[[1, 2], [3, 4]]]], "must hold 2 elements and holds 1"),
        ([], "must hold 2 elements and holds 0"),
    ],
)
def test_a_batch_of_several_is_none_for_it(value: list[Any], detail: str) -> None:
    with pytest.raises(Problem) as error:
        read(OF_ONE, {"X": value})
    assert error.value.errors[0].detail == detail


@pytest.mark.parametrize("name", ['say "hi"', "back\\slash", "new\nline", "größe"])
def test_any_name_is_read(name: str) -> None:
    schema = ModelSchema((Tensor(name, DataType.FP32, (1,)),), OUT, 8)
    assert read(schema, {name: 2}).encoded[0].tensors == (floats(2),)


@pytest.mark.parametrize("row", [[1, 2.5, 3], [1, True, 3], [1, 1e39, 3], [1, "2", 3], [float("nan"), 2, 3]])
def test_a_row_of_plain_numbers_is_taken_whole_and_any_other_element_by_element(row: list[Any]) -> None:
    reader = InstanceReader(RequestSchema.of(ROW), 10)
    body = json.dumps([{"X": row}, {"X": [0, 0, 0]}]).encode()
    if row == [1, 2.5, 3]:
        assert reader.read_carefully(body) == reader.read_fast(body)
    else:
        with pytest.raises(Problem) as error:
            reader.read_carefully(body)
        assert [each.pointer for each in error.value.errors] == ["/0/X/0" if row[0] != 1 else "/0/X/1"]
