"""Fuzzes what reads requests: ``make fuzz``.

What it is given is a body of POST /predict, and the query of a GET. Whatever it is, the answer is an encoded instance
or a problem document, never another exception; and the fast reader says nothing that the careful one does not.
"""

import json
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["viridian_serving"]):
    from viridian_serving.codec.fast_instances import FastReader
    from viridian_serving.codec.instances import InstanceReader, Instances
    from viridian_serving.codec.tensors import DataType, ModelSchema, Tensor
    from viridian_serving.contract.binding import bind
    from viridian_serving.contract.contract import Contract
    from viridian_serving.contract.query_string import QuestionReader
    from viridian_serving.contract.schema_file import parse
    from viridian_serving.http1.problems import Problem

from tests.serving.api.test_malformed import MODEL
from tests.serving.malformed import address, requests
from tests.serving.models import CUSTOMER, CUSTOMERS

ROW = ModelSchema((Tensor("X", DataType.FP32, (3,)),), (Tensor("y", DataType.FP32, (1,)),), 8)
SEQUENCE = ModelSchema((Tensor("ids", DataType.INT32, (-1, 2)),), (Tensor("y", DataType.FP32, (1,)),), 8)
CONTRACTS = [bind(parse(CUSTOMERS.encode()), MODEL), Contract.derived(ROW), Contract.derived(SEQUENCE)]
READERS = [(InstanceReader(each.requests, 10), QuestionReader(each, "m-1")) for each in CONTRACTS]
# Once more, with every body taken for a large one.
ARRAYS = Contract.derived(ModelSchema((Tensor("X", DataType.FP32, (1, 3)),), ROW.outputs, 8))
READERS.append((InstanceReader(ARRAYS.requests, 10), QuestionReader(ARRAYS, "m-1")))
READERS[-1][0]._fast = FastReader(ARRAYS.requests, 0)


def read(data: bytes) -> None:
    """Give one input to every reader."""
    for bodies, addresses in READERS:
        careful = _instances(bodies.read_carefully, data)
        fast = bodies._fast.read(data)
        if fast is not None and 0 < len(fast[0]) <= 10 and careful is None:
            raise AssertionError("the fast reader takes what the careful one refuses")
        either = _instances(bodies.read, data)
        if either != careful:
            raise AssertionError("the two readers read different things")
        try:
            question = addresses.read(data)
        except Problem as problem:
            json.loads(problem.body("id"))
        else:
            bodies.read(question.body)


def _instances(reader: object, data: bytes) -> list[tuple[object, ...]] | None:
    try:
        read_: Instances = reader(data)  # type: ignore[operator]
    except Problem as problem:
        json.loads(problem.body("id"))
        return None
    return [(read_.many, each.rows, each.shapes, each.tensors) for each in read_.encoded]


def seed(corpus: Path) -> None:
    """Put requests that are known into the corpus: the malformed ones of the tests, and good ones."""
    corpus.mkdir(parents=True, exist_ok=True)
    bodies = [each.body if each.body is not None else (each.query or "").encode() for each in requests()]
    bodies += [json.dumps(CUSTOMER).encode(), json.dumps([CUSTOMER]).encode(), address(CUSTOMER).encode()]
    bodies += [
        b'{"X": [1, 2.5, -3]}',
        b"[[1, 2, 3]]",
        b'[{"ids": [[1, 2]]}]',
        b"X=[1,2,3]",
        b'{"X": [[1, 2.5, -3]]}',
        b"[[[1, 2, 3]]]",
    ]
    for i, body in enumerate(bodies):
        if len(body) < 4096:
            (corpus / f"seed-{i}").write_bytes(body)


if __name__ == "__main__":
    seed(Path(sys.argv[-1]))
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
