"""The rows of hostile.yaml as requests."""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tests.serving.malformed import written
from tritonclient.grpc import service_pb2

INFER = "/v2/models/m/infer"
_X = {"name": "X", "datatype": "FP32"}
_COMPRESS = {"gzip": gzip.compress, "deflate": zlib.compress}


@dataclass(frozen=True)
class Hostile:
    name: str
    surface: str
    """infer, grpc, predict or feedback."""
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 400
    kinds: frozenset[str] = frozenset()
    """What its problem's type may end in; empty where Triton says what is wrong."""
    code: str = ""
    """Of gRPC."""
    fields: list[str] | None = None
    """Pointers that are named; None where only the status matters."""
    counts: bool = True


def requests() -> list[Hostile]:
    rows = yaml.safe_load(Path(__file__).with_name("hostile.yaml").read_text())
    return [_request(row) for row in rows]


def _request(row: dict[str, Any]) -> Hostile:
    surface = next((name for name in ("grpc", "predict", "feedback") if name in row), "infer")
    if "query" in row:
        surface = "predict"
    body, headers = _sent(row)
    fields = row.get("fields", [])
    return Hostile(
        row["name"],
        surface,
        row.get("path", INFER if surface == "infer" else f"/{surface}")
        + (f"?{written(row['query'])}" if "query" in row else ""),
        body,
        headers,
        row.get("status", 400),
        frozenset() if row.get("by") == "triton" else frozenset(row.get("type", "invalid-input").split("|")),
        row.get("code", ""),
        None if fields == "any" else fields,
        row.get("counted") != "none" and surface != "feedback",
    )


def _sent(row: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    headers = {}
    if "grpc" in row:
        return _message(**row["grpc"]), headers
    if "x" in row:
        body = json.dumps({"inputs": [_X | row["x"]]}).encode()
    elif "header" in row:
        header = json.dumps({"inputs": [_X | row["header"]]}).encode()
        headers["Inference-Header-Content-Length"] = str(len(header))
        body = header + bytes(row["bytes"])
    else:
        text = written(next((row[name] for name in ("infer", "predict", "feedback") if name in row), ""))
        body = text.encode("latin-1" if row.get("latin") else "utf-8")
    if "length" in row:
        headers["Inference-Header-Content-Length"] = written(row["length"])
    if (coding := row.get("coding")) is not None:
        body = _COMPRESS.get(coding, bytes)(body)
        headers["Content-Encoding"] = coding.rstrip("?")
    return body, headers


def _message(
    message: "str | list[Any] | None" = None,
    model: str = "m",
    name: str = "X",
    datatype: str = "FP32",
    shape: tuple[int, ...] = (1, 4),
    raw: tuple[int, ...] = (),
    typed: "dict[str, list[float]] | None" = None,
    parameters: "dict[str, str] | None" = None,
    empty: int = 0,
) -> bytes:
    if message is not None:
        return bytes.fromhex(written(message))
    request = service_pb2.ModelInferRequest(model_name=model)
    tensor = request.inputs.add(name=name, datatype=datatype, shape=shape)
    for contents, values in (typed or {}).items():
        getattr(tensor.contents, contents).extend(values)
    for parameter, value in (parameters or {}).items():
        tensor.parameters[parameter].string_param = value
    tensor.contents.bytes_contents.extend([b""] * empty)
    request.raw_input_contents.extend(bytes(size) for size in raw)
    return bytes(request.SerializeToString())


def pointers(document: dict[str, Any]) -> Iterator[str]:
    return (each["pointer"] for each in document.get("errors", []))
