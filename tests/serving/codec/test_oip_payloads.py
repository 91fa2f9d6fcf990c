"""What the log reads out of the Open Inference Protocol, as its official client writes it."""

import json
import struct
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as tritongrpc
import tritonclient.http as tritonhttp
from tritonclient.grpc import service_pb2

from viridian_serving.codec.oip_payloads import inputs_of, outputs_of
from viridian_serving.http1.messages import Request, Response

HTTP, GRPC = b"/v2/models/m/infer", b"/inference.GRPCInferenceService/ModelInfer"
VALUES = {
    "BOOL": np.array([[True, False]]),
    "INT8": np.array([[-1, 2]], dtype=np.int8),
    "UINT32": np.array([[1], [2]], dtype=np.uint32),
    "INT64": np.array([[3], [7]], dtype=np.int64),
    "FP16": np.array([0.5, 2.0], dtype=np.float16),
    "FP32": np.array([[[0.25, 1.5]], [[2.5, -1.0]]], dtype=np.float32),
    "FP64": np.array([[1e300]], dtype=np.float64),
    "BYTES": np.array([["Ada", "é"]], dtype=np.object_),
}


def by_http(body: bytes, **headers: str) -> Request:
    return Request(b"POST", HTTP, {k.replace("_", "-").encode(): v.encode() for k, v in headers.items()}, body, 0.0)


def by_grpc(message: bytes) -> Request:
    return Request(b"POST", GRPC, {}, message, 0.0)


@pytest.mark.parametrize(
    ("datatype", "binary"),
    # The client writes no half precision as JSON.
    [(datatype, binary) for datatype in VALUES for binary in (True, False) if binary or datatype != "FP16"],
)
def test_inputs_by_http(datatype: str, binary: bool) -> None:
    # given
    values = VALUES[datatype]
    given = tritonhttp.InferInput("x", list(values.shape), datatype)
    given.set_data_from_numpy(values, binary_data=binary)
    # when
    body, length = tritonhttp.InferenceServerClient.generate_request_body([given])
    request = by_http(body, **({"inference_header_content_length": str(length)} if length else {}))
    # then
    assert inputs_of(request) == {"x": values.tolist()}


@pytest.mark.parametrize("datatype", VALUES)
def test_inputs_by_grpc(datatype: str) -> None:
    # given
    values = VALUES[datatype]
    given = tritongrpc.InferInput("x", list(values.shape), datatype)
    given.set_data_from_numpy(values)
    request = service_pb2.ModelInferRequest(model_name="m", id="1", inputs=[given._get_tensor()])
    request.raw_input_contents.append(given._get_content())
    # then
    assert inputs_of(by_grpc(request.SerializeToString())) == {"x": values.tolist()}


@pytest.mark.parametrize(
    ("datatype", "contents", "values"),
    [
        ("BOOL", {"bool_contents": [True]}, [True]),
        ("UINT16", {"uint_contents": [7]}, [7]),
        ("INT32", {"int_contents": [-7]}, [-7]),
        ("FP32", {"fp32_contents": [0.5]}, [0.5]),
        ("BYTES", {"bytes_contents": [b"Ada"]}, ["Ada"]),
    ],
)
def test_values_that_are_not_raw(datatype: str, contents: dict[str, Any], values: list[Any]) -> None:
    request = service_pb2.ModelInferRequest(model_name="m")
    request.inputs.add(name="x", datatype=datatype, shape=[1, 1], contents=contents)
    assert inputs_of(by_grpc(request.SerializeToString())) == {"x": [values]}


def test_outputs() -> None:
    # given an answer with two tensors, by HTTP and by gRPC
    raw = struct.pack("<2f", 0.5, 2.0), struct.pack("<q", 1)
    head = json.dumps(
        {
            "outputs": [
                {"name": "p", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}},
                {"name": "y", "datatype": "INT64", "shape": [1], "parameters": {"binary_data_size": 8}},
            ]
        }
    ).encode()
    http = Response(200, head + b"".join(raw), headers=((b"Inference-Header-Content-Length", b"%d" % len(head)),))
    message = service_pb2.ModelInferResponse(model_name="m", raw_output_contents=raw)
    message.outputs.add(name="p", datatype="FP32", shape=[1, 2])
    message.outputs.add(name="y", datatype="INT64", shape=[1])
    grpc = Response(200, message.SerializeToString())
    # then
    assert outputs_of(by_http(b""), http) == outputs_of(by_grpc(b""), grpc) == {"p": [[0.5, 2.0]], "y": [1]}


def described(**more: Any) -> bytes:
    return json.dumps({"inputs": [{"name": "x", "datatype": "INT64", "shape": [1], "data": [1], **more}]}).encode()


def test_a_shape_that_is_not_that_of_the_values_costs_nothing() -> None:
    for shape in ([10**9, 0], [10**12], [-1, -1], []):
        assert inputs_of(by_http(described(shape=shape))) == {"x": [1]}
        assert inputs_of(by_http(described(shape=shape, data=[]))) == {"x": []}


@pytest.mark.parametrize(
    "request_",
    [
        by_http(b""),
        by_http(b"\x1f\x8b", content_encoding="gzip"),
        by_http(b"[" * 100_000),
        by_http(described(), inference_header_content_length="many"),
        by_http(described(datatype="BF16")),
        by_http(described(datatype=["INT64"])),
        by_http(described(name={"a": 1})),
        by_http(described(name=None)),
        by_http(described(data=7)),
        by_http(described(parameters=7)),
        by_http(described(parameters={"binary_data_size": 10**15})),
        by_http(described(parameters={"binary_data_size": -8})),
        by_http(described(parameters={"binary_data_size": 7})),
        by_grpc(b"\xff"),
        by_grpc(service_pb2.ModelInferRequest(inputs=[{"name": "x", "datatype": "BF16"}]).SerializeToString()),
        by_grpc(
            service_pb2.ModelInferRequest(
                inputs=[{"name": "x", "datatype": "FP32"}, {"name": "y", "datatype": "FP32"}], raw_input_contents=[b""]
            ).SerializeToString()
        ),
    ],
    ids=range(16),
)
def test_what_cannot_be_read_is_not_shown(request_: Request) -> None:
    assert inputs_of(request_) is None
