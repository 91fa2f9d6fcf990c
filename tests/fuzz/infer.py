"""Fuzzes what reads infer requests by HTTP: ``make fuzz``.

What it is given is a body; its first two bytes say how long the JSON header is, if they do. Whatever it is, the answer
is a problem document that names something, or a request in which every size is that of bytes which came.
"""

import json
import struct
import sys
from math import prod
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["viridian_serving"]):
    from viridian_serving.codec.oip_request import InferReader
    from viridian_serving.codec.tensors import DataType, ModelSchema, Tensor
    from viridian_serving.http1.problems import Problem

from tests.serving.hostile import requests

OUTPUTS = (Tensor("y", DataType.FP32, (1,)), Tensor("label", DataType.INT64, (1,)))
MODELS = [
    ModelSchema((Tensor("X", DataType.FP32, (4,)),), OUTPUTS, 128),
    ModelSchema(tuple(Tensor(each.name, each, (-1,)) for each in DataType), OUTPUTS, 0),
]
READERS = [(InferReader(each), {tensor.name: tensor.datatype for tensor in each.inputs}) for each in MODELS]


def read(data: bytes) -> None:
    """Give one input to every reader."""
    length = struct.unpack_from("<H", data)[0] if len(data) >= 2 else 0xFFFF
    given = None if length == 0xFFFF else b"%d" % length
    for reader, types in READERS:
        try:
            made = reader.read(data[2:], given)
        except Problem as problem:
            document = json.loads(problem.body("id"))
            if problem.status != 400 or not document["detail"]:
                raise AssertionError(document) from problem
            continue
        if not made.header_length:
            continue
        header = json.loads(made.body[0])
        there = sum(map(len, made.tensors))
        for entry in header["inputs"]:
            datatype, elements = types[entry["name"]], prod(entry["shape"])
            size = entry["parameters"]["binary_data_size"]
            there -= size
            if "data" in entry or (size < 4 * elements if not datatype.size else size != datatype.size * elements):
                raise AssertionError(entry)
        if there:
            raise AssertionError("the sizes are not those of the bytes")


def seed(corpus: Path) -> None:
    """Put requests that are known into the corpus: the hostile ones of the tests, and good ones of every type."""
    corpus.mkdir(parents=True, exist_ok=True)
    bodies = [
        (each.body, each.headers.get("Inference-Header-Content-Length"))
        for each in requests()
        if each.surface == "infer"
    ]
    for datatype in DataType:
        value = {"BYTES": "a", "BOOL": True}.get(datatype.name, 1)
        entry = {"name": datatype.name, "shape": [1, 2], "datatype": datatype.name, "data": [[value, value]]}
        bodies.append((json.dumps({"id": "1", "inputs": [entry], "outputs": [{"name": "y"}]}).encode(), None))
    for i, (body, length) in enumerate(bodies):
        if len(body) < 4000:
            told = int(length) if length is not None and length.isdigit() and len(length) < 5 else 0xFFFF
            (corpus / f"seed-{i}").write_bytes(struct.pack("<H", told) + body)


if __name__ == "__main__":
    seed(Path(sys.argv[-1]))
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
