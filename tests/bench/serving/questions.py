"""How each server is asked for the same prediction, and what it must say."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

FLOWERS = ((5.1, 3.5, 1.4, 0.2), (6.2, 2.9, 4.3, 1.3), (7.7, 3.8, 6.7, 2.2))
"""One of each kind."""
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Answer:
    """What was predicted."""

    label: int
    probabilities: Sequence[float]

    def is_close_to(self, other: "Answer") -> bool:
        """Whether it is the same but for rounding."""
        return self.label == other.label and np.allclose(self.probabilities, other.probabilities, atol=_TOLERANCE)


@dataclass(frozen=True)
class Question:
    """How one server is asked."""

    path: str
    body: Callable[[Sequence[float]], object]
    answer: Callable[[Any], Answer]
    """Takes it out of the JSON that comes back."""

    def encoded(self, flower: Sequence[float] = FLOWERS[1]) -> bytes:
        """The body for a flower."""
        return json.dumps(self.body(flower)).encode()


PLAIN = Question("/predict", lambda x: {"X": list(x)}, lambda seen: Answer(seen["prediction"], seen["probabilities"]))
BENTOML = Question("/predict", lambda x: {"flowers": [list(x)]}, lambda seen: PLAIN.answer(seen[0]))
KSERVE = Question(
    "/v1/models/iris:predict", lambda x: {"instances": [list(x)]}, lambda seen: PLAIN.answer(seen["predictions"][0])
)


def open_inference(model: str) -> Question:
    """The Open Inference Protocol, in JSON."""
    return Question(
        f"/v2/models/{model}/infer",
        lambda x: {"inputs": [{"name": "X", "shape": [1, len(x)], "datatype": "FP32", "data": list(x)}]},
        _open_inference_answer,
    )


def _open_inference_answer(seen: Any) -> Answer:
    outputs = {output["name"]: output["data"] for output in seen["outputs"]}
    return Answer(outputs["label"][0], outputs["probabilities"])


def ask(port: int, question: Question, flower: Sequence[float] = FLOWERS[1]) -> tuple[int, bytes]:
    """Ask a server of this machine once.

    Returns:
        The status and the body.

    Raises:
        OSError: Nobody answers.
        HTTPException: What answers is no HTTP.
    """
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", question.path, question.encoded(flower), {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def check(port: int, question: Question, model: Path) -> None:
    """See that a server answers what the model itself does.

    Raises:
        AssertionError: It does not.
    """
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    for flower in FLOWERS:
        labels, probabilities = session.run(None, {"X": np.array([flower], dtype=np.float32)})
        expected = Answer(int(labels[0]), probabilities[0].tolist())
        status, body = ask(port, question, flower)
        assert status == 200, f"{question.path} answered {status} to {flower}: {body[:500]!r}"
        answer = question.answer(json.loads(body))
        assert answer.is_close_to(expected), f"{question.path} answered {answer} to {flower}, not {expected}"
