"""Fuzzes what reads ModelInfer's messages: ``make fuzz``.

Whatever it is given, the answer is a problem document, or what is in the message as the official client reads it: a
message that means one thing here and another to Triton would pass unchecked.
"""

import json
import sys
from math import prod
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["viridian_serving"]):
    from viridian_serving.codec.oip_grpc_request import MessageReader
    from viridian_serving.http1.problems import Problem

from tests.fuzz.infer import MODELS
from tests.serving.hostile import requests
from tritonclient.grpc import service_pb2

from viridian_serving.codec.tensors import DataType

READERS = [MessageReader(each, "m") for each in MODELS]


def read(data: bytes) -> None:
    """Give one input to every reader."""
    for reader in READERS:
        try:
            reader.read(data)
        except Problem as problem:
            json.loads(problem.body("id"))
            if problem.status not in (400, 404):
                raise AssertionError(problem) from problem
            continue
        message = service_pb2.ModelInferRequest.FromString(data)
        for i, tensor in enumerate(message.inputs):
            elements, size = prod(tensor.shape), DataType[tensor.datatype].size
            if message.raw_input_contents:
                there = len(message.raw_input_contents[i])
                fits = there == elements * size if size else there >= 4 * elements
            else:
                fits = elements == sum(len(values) for _, values in tensor.contents.ListFields())
            if not fits or message.model_name != "m":
                raise AssertionError(message)


def seed(corpus: Path) -> None:
    """Put messages that are known into the corpus: the hostile ones of the tests, and good ones of every type."""
    corpus.mkdir(parents=True, exist_ok=True)
    bodies = [each.body for each in requests() if each.surface == "grpc"]
    for datatype in DataType:
        message = service_pb2.ModelInferRequest(model_name="m")
        message.inputs.add(name=datatype.name, datatype=datatype.name, shape=[2])
        message.outputs.add(name="y")
        message.raw_input_contents.append(bytes(2 * (datatype.size or 4)))
        bodies.append(message.SerializeToString())
    for i, body in enumerate(bodies):
        if len(body) < 4096:
            (corpus / f"seed-{i}").write_bytes(body)


if __name__ == "__main__":
    seed(Path(sys.argv[-1]))
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
