"""Large lists of floats: the reader by way of arrays takes some of what the others take, and reads the same in it."""

import json
import subprocess
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from viridian_serving.codec.fast_instances import FastReader
from viridian_serving.codec.features import Feature, RequestSchema, Slot
from viridian_serving.codec.instances import InstanceReader
from viridian_serving.codec.number_arrays import ArrayReader
from viridian_serving.codec.oip import Encoded
from viridian_serving.codec.tensors import DYNAMIC, DataType, Tensor
from viridian_serving.http1.problems import Problem

NAME = "X y"
FLOATS = (DataType.FP16, DataType.FP32, DataType.FP64)
DIMS = [(3,), (2, 3), (2, 2, 2), (1, 2), (2, 1), (DYNAMIC,), (DYNAMIC, 2), (2, DYNAMIC), (DYNAMIC, DYNAMIC)]
UNUSUAL = [
    "-0",
    "-0.0",
    "1E+2",
    "1e-400",
    "0e999",
    "65519.99",
    "65520",
    "3.4028235e38",
    "3.4028236e38",
    "-1e39",
    "1e308",
]
UNUSUAL += [
    "9007199254740993",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
]
UNUSUAL += ["123456789012345678901234567890", "2.2250738585072011e-308", "5e-324", "0.30000000000000004", "1e999"]
WRONG = ["null", "true", '"1"', "[]", "[1]", "[[1, 2]]", "{}", '{"X y": 1}', "NaN", "-Infinity", "01", "+1", ".5", "1."]
WRONG += ["0x1", "1 2", "", '"\xff"', '"\\u0058"', "\ud800", "1, 2", "[" * 70 + "]" * 70, "[" * 2000 + "]" * 2000]
NAMES = ['"X y"', '"\\u0058 y"', '"Z"', '"X\\u0000y"', '"X y["']
BYTES = [bytes([each]) for each in b'[]{},:"\\09.e- \0\xff'] + [b"", b"[]", b"\xef\xbb\xbf"]
FAULTS = ["number", "value", "size", "box", "name", "twice", "more", "byte", "blanks"]


def schema(dims: tuple[int, ...], datatype: DataType = DataType.FP32, **more: Any) -> RequestSchema:
    feature = Feature(NAME, datatype.kind, datatype, dims, **more)
    return RequestSchema((feature,), (Slot(Tensor("X", datatype, dims), (0,)),), 8)


schemas = st.builds(
    schema,
    st.sampled_from(DIMS),
    st.sampled_from(FLOATS),
    strict=st.booleans(),
    boxed=st.booleans(),
    nullable=st.sampled_from([False] * 5 + [True]),
    minimum=st.sampled_from([None, None, -1.0, 0.5]),
    maximum=st.sampled_from([None, None, 1.0, 1e300]),
)


def sizes(dims: tuple[int, ...]) -> st.SearchStrategy[tuple[int, ...]]:
    return st.tuples(*(st.integers(1, 3) if dim == DYNAMIC else st.just(dim) for dim in dims))


Value = str | list["Value"]


def written(value: Value) -> str:
    return value if isinstance(value, str) else f"[{', '.join(map(written, value))}]"


def nested(shape: tuple[int, ...]) -> st.SearchStrategy[Any]:
    values: st.SearchStrategy[Any] = st.floats(-2, 2, width=16).map(repr) | st.integers(-2, 2).map(repr)
    for size in reversed(shape):
        values = st.lists(values, min_size=size, max_size=size)
    return values


def change(draw: st.DrawFn, value: Value, fault: str) -> Value:
    """Put something else in the place of a number or of a list, or change how long a list is."""
    if isinstance(value, list) and value and (fault == "number" or draw(st.booleans())):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], change(draw, value[at], fault), *value[at + 1 :]]
    if fault == "size" and isinstance(value, list):
        return draw(st.sampled_from([value[1:], value * 2, [*value, "1"], [], [*value[1:], []]]))
    return draw(st.sampled_from(UNUSUAL if fault == "number" else WRONG))


@st.composite
def bodies(draw: st.DrawFn, dims: tuple[int, ...]) -> bytes:
    """Bodies, valid ones and others."""
    faults = draw(st.lists(st.sampled_from(FAULTS), max_size=2))
    named, many = draw(st.booleans()), draw(st.booleans())

    def instance(faults: list[str]) -> str:
        value: Value = draw(sizes(dims).flatmap(nested))
        for fault in sorted({"number", "value", "size"} & set(faults)):
            value = change(draw, value, fault)
        if "box" in faults:
            value = [value]
        if not named:
            return written(value)
        member = f"{draw(st.sampled_from(NAMES)) if 'name' in faults else NAMES[0]}: {written(value)}"
        twice, more = [member] * ("twice" in faults), ['"Z": 1'] * ("more" in faults)
        return "{" + ",".join([member, *twice, *more]) + "}"

    instances = [instance(faults), *(instance([]) for _ in range(draw(st.integers(0, 3))))]
    body = (f"[{','.join(instances)}]" if many else instances[0]).encode("utf-8", "surrogatepass")
    if "byte" in faults:
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.sampled_from(BYTES)) + body[at + draw(st.integers(0, 1)) :]
    return (draw(st.sampled_from([b"\n\t", b"\xef\xbb\xbf", b" " * 70])) if "blanks" in faults else b"") + body


def read_or_refused(requests: RequestSchema, large: int, body: bytes) -> object:
    """What becomes of a body, whatever it is."""
    reader = InstanceReader(requests, 3)
    reader._fast = FastReader(requests, large)
    try:
        return reader.read(body)
    except Problem as problem:
        return problem.body("id")


@settings(max_examples=1000)
@given(st.data(), schemas)
def test_every_body_is_read_or_refused_as_without_arrays(data: st.DataObject, requests: RequestSchema) -> None:
    # given
    body = data.draw(bodies(requests.features[0].dims))
    # when
    with_arrays, without = read_or_refused(requests, 0, body), read_or_refused(requests, sys.maxsize, body)
    # then
    assert with_arrays == without


@given(st.data(), st.sampled_from(DIMS), st.booleans(), st.booleans())
def test_what_is_sound_is_read_as_arrays(data: st.DataObject, dims: tuple[int, ...], named: bool, boxed: bool) -> None:
    # given
    requests = schema(dims, boxed=boxed)
    values = [json.loads(written(data.draw(sizes(dims).flatmap(nested)))) for _ in "ab"]
    items = [{NAME: value} for value in values] if named else values
    reader = ArrayReader(requests.features[0])
    # when
    one = reader.read(json.dumps(items[0]).encode(), named=named, many=False)
    two = reader.read(json.dumps(items).encode(), named=named, many=True)
    in_a_box = reader.read(json.dumps({NAME: values[:1]}).encode(), named=True, many=False)
    # then
    expected = [Encoded((np.shape(value),), 1, (np.array(value, "<f4").tobytes(),)) for value in values]
    assert (one, two) == (expected[:1], expected)
    assert in_a_box == (expected[:1] if boxed else None)


@pytest.mark.parametrize(
    "body",
    [
        b'{"X y": [1, [2]]}',
        b'{"X y": [[], [1, 2]]}',
        b'{"X y": [1, [2, []]]}',
        b'{"X y": [[1, 2]]}',
        b'{"X y": [1, {"X y": 2}]}',
        b'{"X y": [1, "["]}',
        b'{"X y": [1, null]}',
        b'{"X y": [1, true]}',
        b'{"X y": [1, 1e39]}',
        b'{"X y": [1, 1e999]}',
        b'{"X y": [1, NaN]}',
        b'{"X y": [1, 18446744073709551616]}',
        b'{"X y": [1]}',
        b'{"X y": [1, 2, 3]}',
        b'{"X y": 1}',
        b'{"X y": [1, 2], "X y": [1, 2]}',
        b'{"X y": [1, 2], "Z": 1}',
        b'{"Z": [1, 2]}',
        b"{}",
        b'{"X y": [1, 2]} 3',
        b'{"X y": [1, 2]}\0',
        b'{"X y": [1, 2]',
        b'\xef\xbb\xbf{"X y": [1, 2]}',
        b'{"X y": [1, 2], "\xff": 3}',
        b'{"X y": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"X y": [1, ' + b"[" * 1000 + b"]" * 1000 + b"]}",
    ],
    ids=lambda body: repr(body[:40]),
)
def test_the_rest_is_left_to_the_other_readers(body: bytes) -> None:
    reader = ArrayReader(schema((2,)).features[0])
    assert reader.read(b'{"X y": [1, 2]}', named=True, many=False) is not None
    assert reader.read(body, named=True, many=False) is None
    assert reader.read(b"[" + body + b"]", named=True, many=True) is None


@pytest.mark.parametrize(
    ("dims", "value"),
    [((DYNAMIC,), []), ((2, DYNAMIC), [[], []]), ((3, DYNAMIC), [[0] * 8, [0] * 15, [0]])],
    ids=["empty", "of empty lists", "ragged"],
)
def test_lists_of_any_size_are_as_long_as_one_another_and_not_empty(dims: tuple[int, ...], value: list[Any]) -> None:
    assert ArrayReader(schema(dims).features[0]).read(json.dumps(value).encode(), named=False, many=False) is None


def test_a_list_is_measured_before_it_is_walked_through() -> None:
    """Of a list with more items than instances have room in it, none becomes an object."""
    # given
    feature = schema((1000, 1000)).features[0]
    body = b"[" + b",".join([b"[[]]"] * 100_000) + b"]"
    # when
    tracemalloc.start()
    instances = ArrayReader(feature).read(body, named=False, many=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # then
    assert instances is None
    assert peak < 100_000


@pytest.mark.parametrize(
    ("requests", "many", "loaded"),
    [
        (schema((3, 64, 64)), False, True),
        (schema((3, 64, 64)), True, True),
        (schema((3, DYNAMIC, DYNAMIC)), False, True),
        (schema((3, DYNAMIC, DYNAMIC)), True, False),
        (schema((3, 64, 64), DataType.INT32), False, False),
        (schema((3, 64, 64), nullable=True), False, False),
        (schema((3, 8, 8)), True, False),
    ],
    ids=["image", "images", "of any size", "several of any size", "of integers", "with nulls", "small"],
)
def test_large_bodies_of_large_inputs_are_read_as_arrays(requests: RequestSchema, many: bool, loaded: bool) -> None:
    # given
    (feature,) = requests.features
    value = np.ones([64 if dim == DYNAMIC else dim for dim in feature.dims]).astype(int).tolist()
    instance = f'{{"{NAME}": {json.dumps(value)}}}'
    body = f"[{','.join([instance] * 100)}]" if many else instance + " " * 100_000
    fast = FastReader(requests)
    # when
    read = fast.read(body.encode())
    # then
    assert read is not None
    assert read[1] == many
    assert (fast._array_reader is not None) == loaded


def test_without_a_large_body_nothing_more_is_loaded() -> None:
    code = "import sys, viridian_serving.commands.api; print({'numpy', 'simdjson'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
