"""Declared features: two readers that agree with each other, and with the JSON Schema that is published."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serving.api.test_malformed import MODEL
from tests.serving.models import CUSTOMER, CUSTOMERS

from viridian_serving.codec.features import Feature, RequestSchema, Slot, one_of, written
from viridian_serving.codec.instances import InstanceReader, Instances
from viridian_serving.codec.tensors import DataType, Kind, Tensor
from viridian_serving.contract.binding import bind
from viridian_serving.contract.json_schema import instance_schema, range_of, sample_of
from viridian_serving.contract.schema_file import parse
from viridian_serving.http1.problems import Problem

REQUESTS = bind(parse(CUSTOMERS.encode()), MODEL).requests
READER = InstanceReader(REQUESTS, 10)
VALIDATOR = jsonschema.Draft202012Validator(instance_schema(REQUESTS))

_values = {
    "income": st.floats(0, 1e6) | st.integers(-1, 1_000_001),
    "balance": st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False) | st.just(1e39),
    "visits": st.integers(-1, 51),
    "age": st.integers(17, 121) | st.integers(17, 121).map(float) | st.lists(st.integers(18, 120), max_size=2),
    "city": st.sampled_from(["Köln", "Graz", "Basel", "Bonn"]),
    "note": st.text(max_size=11),
    "tier": st.integers(0, 4),
    "member": st.booleans() | st.just([True]),
    "history": st.lists(st.floats(-101, 101), min_size=3, max_size=5) | st.just([0, 1, 2, 3]),
    "ids": st.lists(st.integers(-(2**31) - 1, 2**31), max_size=3),
}
_anything = (
    st.none()
    | st.booleans()
    | st.floats(0, 50)
    | st.integers()
    | st.text(max_size=3)
    | st.lists(st.integers(), max_size=4)
)


@st.composite
def customers(draw: st.DrawFn) -> dict[str, Any]:
    """Instances with a few members of their own: valid ones and others."""
    changed = draw(st.lists(st.sampled_from(list(_values)), max_size=3))
    made = CUSTOMER | {name: draw(_values[name] | _anything) for name in changed}
    for name in draw(st.lists(st.sampled_from([*CUSTOMER, "more"]), max_size=1)):
        made.pop(name, None) if draw(st.booleans()) else made.setdefault(name, 1)
    return made


def either(read: Any, body: bytes) -> Instances | None:
    try:
        result: Instances = read(body)
    except Problem:
        return None
    return result


@given(customers(), st.booleans())
def test_both_readers_and_the_published_schema_agree(customer: dict[str, Any], listed: bool) -> None:
    # given
    body = json.dumps([customer] if listed else customer).encode()
    # when
    careful, fast = either(READER.read_carefully, body), either(READER.read, body)
    # then
    assert (careful is None) == (fast is None)
    if careful is not None and fast is not None:
        assert careful.many == fast.many == listed
        assert [e.tensors for e in careful.encoded] == [e.tensors for e in fast.encoded]
    assert (careful is not None) == VALIDATOR.is_valid(customer)


def test_a_good_instance_takes_the_fast_way() -> None:
    assert READER._fast.read(json.dumps(CUSTOMER).encode()) is not None


def test_the_made_up_instance_is_valid() -> None:
    sample = sample_of(REQUESTS)
    assert READER.read(json.dumps(sample).encode()).encoded
    assert (sample["balance"], sample["age"], sample["income"], sample["city"]) == (12.5, 69, 500000.0, "Köln")


@pytest.mark.parametrize(
    ("kind", "datatype", "dims", "body", "shape"),
    [
        (Kind.NUMBER, DataType.FP64, (), b"4.5", ()),
        (Kind.NUMBER, DataType.FP64, (2,), b"[4.5, 1]", (2,)),
        (Kind.STRING, DataType.BYTES, (), b'"x"', ()),
    ],
)
def test_the_value_of_an_only_feature_may_come_bare(
    kind: Kind, datatype: DataType, dims: tuple[int, ...], body: bytes, shape: tuple[int, ...]
) -> None:
    # given
    feature = Feature("f", kind, datatype, dims)
    reader = InstanceReader(RequestSchema((feature,), (Slot(Tensor("f", datatype, dims), (0,)),), 8), 10)
    # when
    one, many = reader.read(body), reader.read(b"[" + body + b"," + body + b"]")
    # then
    assert (one.many, one.encoded[0].shapes) == (False, (shape,))
    assert (many.many, sum(each.rows for each in many.encoded)) == (True, 2)
    assert reader.read_carefully(body).encoded[0].tensors == one.encoded[0].tensors


@pytest.mark.parametrize(
    ("datatype", "least", "greatest"),
    [
        (DataType.UINT8, 0, 255),
        (DataType.INT8, -128, 127),
        (DataType.INT64, -(2**63), 2**63 - 1),
        (DataType.FP16, -65519.99999999999, 65519.99999999999),
        (DataType.FP32, -3.4028235677973362e38, 3.4028235677973362e38),
    ],
)
def test_ranges_of_types(datatype: DataType, least: float, greatest: float) -> None:
    # given
    feature = Feature("f", datatype.kind, datatype)
    # then
    assert range_of(datatype) == (least, greatest)
    assert feature.fault(least) is feature.fault(greatest) is None
    assert feature.fault(greatest * 2) is not None


def test_long_things_are_written_short() -> None:
    assert one_of(list(range(20))).endswith("9 and 10 more, which /schema lists")
    assert [written(number) for number in (5, 5.0, 0.25, 1234567.0)] == ["5", "5", "0.25", "1234567"]
    assert len(written(10**4000)) < 20
