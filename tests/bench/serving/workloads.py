"""What is asked: the small model that all servers have, and what else people send, to ours and to Triton."""

import base64
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from tests.serving import models

from .questions import FLOWERS, PLAIN, Answer, Question, open_inference

PREDICT: Final = "/predict"
INFER: Final = "/v2/models/m/infer"
_SIDE: Final = 224
_COLUMNS: Final = 30
_TEXT_BYTES: Final = 1024

_GENERATOR: Final = np.random.default_rng(7)
_IMAGE: Final = _GENERATOR.random((3, _SIDE, _SIDE), dtype=np.float32).round(4)
_ROW: Final = _GENERATOR.random(_COLUMNS, dtype=np.float32).round(3)
_TEXT: Final = ("A flower whose leaves are longer than they are wide. " * _TEXT_BYTES)[:_TEXT_BYTES]


@dataclass(frozen=True)
class Workload:
    """A model, and how a prediction of it is asked for."""

    name: str
    what: str
    make: Callable[[Path], object]
    """Writes the model into a folder."""
    samples: Sequence[Any]
    """What is asked; the second one under load."""
    feed: Callable[[Any], Any]
    """The model's input for a sample."""
    ours: Question
    tritons: Question | None
    loads: tuple[int, ...] = (1, 8, 32)

    def answers_of(self, model: Path) -> Callable[[Any], Answer]:
        """Give what tells the answer of the model itself, in a file, to a sample."""
        session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])

        def answer(sample: Any) -> Answer:
            outputs = session.run(None, {"X": self.feed(sample)})
            return Answer(float(outputs[0].ravel()[0]), outputs[1][0].tolist() if len(outputs) > 1 else ())

        return answer


def _reduces(directory: Path, shape: Sequence[int]) -> Path:
    """X float [N, …] -> y float [N, 1], the mean."""
    axes = np.array(range(1, len(shape) + 1), dtype=np.int64)
    nodes = [
        helper.make_node("ReduceMean", ["X", "axes"], ["mean"], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "last"], ["y"]),
    ]
    graph = models.graph_of(
        nodes,
        [models.info("X", TensorProto.FLOAT, ["n", *shape])],
        [models.info("y", TensorProto.FLOAT, ["n", 1])],
        axes=axes,
        last=np.array([1], dtype=np.int64),
    )
    return models.save(directory, graph)


def image(directory: Path) -> Path:
    """Takes an image of 3 x 224 x 224 floats."""
    return _reduces(directory, _IMAGE.shape)


def columns(directory: Path, *, checked: bool) -> Path:
    """Takes thirty named columns, each of which may have a range."""
    file = _reduces(directory, _ROW.shape)
    ranges = ", min: 0, max: 1" if checked else ""
    features = [f"  - {{name: column_{number}{ranges}}}\n" for number in range(_COLUMNS)]
    (directory / "schema.yaml").write_text(f"features:\n{''.join(features)}raw: true\n")
    return file


def text(directory: Path) -> Path:
    """Takes a string: X string [N, 1] -> y int64 [N, 1], whether it is the text of the benchmark."""
    node = helper.make_node(
        "LabelEncoder", ["X"], ["y"], domain="ai.onnx.ml", keys_strings=[_TEXT], values_int64s=[1], default_int64=0
    )
    graph = models.graph_of(
        [node],
        [models.info("X", TensorProto.STRING, ["n", 1])],
        [models.info("y", TensorProto.INT64, ["n", 1])],
    )
    return models.save(directory, graph, helper.make_opsetid("ai.onnx.ml", 2))


def _first(seen: Any) -> Answer:
    return Answer(float(seen["prediction"]), ())


def _first_output(seen: Any) -> Answer:
    return Answer(float(seen["outputs"][0]["data"][0]), ())


def _json(datatype: str, shape: Sequence[int]) -> Question:
    def body(sample: Any) -> object:
        data = sample.ravel().tolist() if isinstance(sample, np.ndarray) else [sample]
        return {"inputs": [{"name": "X", "shape": [1, *shape], "datatype": datatype, "data": data}]}

    return Question(INFER, body, _first_output)


def _binary() -> Question:
    """The Open Inference Protocol with its binary extension, for the image."""
    size = _IMAGE.nbytes
    header = (
        b'{"inputs":[{"name":"X","shape":[1,3,224,224],"datatype":"FP32","parameters":{"binary_data_size":%d}}]}' % size
    )
    lengths = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(header))}
    return Question(INFER, lambda sample: header + sample.tobytes(), _first_output, lengths)


def _text_of(sample: np.ndarray) -> str:
    return base64.b64encode(struct.pack(f"<{sample.size}f", *sample.ravel())).decode()


_STRING: Final = _json("BYTES", (1,))
IRIS: Final = Workload(
    "iris",
    "four numbers; a logistic regression",
    models.iris,
    FLOWERS,
    lambda x: np.array([x], dtype=np.float32),
    PLAIN,
    open_inference("m"),
    (1, 8, 32, 64),
)
_IMAGES: Final = (_IMAGE, 1 - _IMAGE, _IMAGE / 2)
_ROWS: Final = (_ROW, 1 - _ROW, _ROW / 2)


def _named(row: np.ndarray) -> object:
    return {f"column_{number}": float(value) for number, value in enumerate(row.round(3))}


def _columns(name: str, what: str, *, checked: bool) -> Workload:
    return Workload(
        name,
        what,
        lambda directory: columns(directory, checked=checked),
        [row.round(3) for row in _ROWS],
        lambda x: x[None].astype(np.float32),
        Question(PREDICT, _named, _first),
        _json("FP32", (_COLUMNS,)),
    )


WORKLOADS: Final = (
    IRIS,
    _columns("columns", "30 named columns with ranges; Triton gets one row without names", checked=True),
    _columns("columns-unchecked", "the same without ranges", checked=False),
    Workload(
        "text",
        "1 KB of text",
        text,
        ("no", _TEXT, "nothing"),
        lambda x: np.array([[x]], dtype=object),
        Question(PREDICT, lambda x: {"X": x}, _first),
        _STRING,
    ),
    Workload(
        "image-json",
        "3 x 224 x 224 floats in JSON; Triton gets one flat list",
        image,
        _IMAGES,
        lambda x: x[None],
        Question(PREDICT, lambda x: {"X": x.tolist()}, _first),
        _json("FP32", _IMAGE.shape),
        (1, 8),
    ),
    Workload(
        "image-base64",
        "the same floats in base64, to a model that takes a string",
        text,
        _IMAGES,
        lambda x: np.array([[_text_of(x)]], dtype=object),
        Question(PREDICT, lambda x: {"X": _text_of(x)}, _first),
        Question(INFER, lambda x: _STRING.body(_text_of(x)), _first_output),
        (1, 8),
    ),
    Workload(
        "image-binary",
        "the same floats as a binary tensor of the Open Inference Protocol",
        image,
        _IMAGES,
        lambda x: x[None],
        _binary(),
        _binary(),
        (1, 8),
    ),
)
