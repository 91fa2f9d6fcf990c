"""How each server is asked for the same prediction, and what it must say."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

import numpy as np

FLOWERS = ((5.1, 3.5, 1.4, 0.2), (6.2, 2.9, 4.3, 1.3), (7.7, 3.8, 6.7, 2.2))
"""One of each kind."""
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Answer:
    """What was predicted."""

    label: float
    probabilities: Sequence[float]
    """None where the model is no classifier."""

    def is_close_to(self, other: "Answer") -> bool:
        """Whether it is the same but for rounding."""
        labels = np.isclose(self.label, other.label, atol=_TOLERANCE)
        return (
            bool(labels)
            and len(self.probabilities) == len(other.probabilities)
            and np.allclose(self.probabilities, other.probabilities, atol=_TOLERANCE)
        )


@dataclass(frozen=True)
class Question:
    """How one server is asked."""

    path: str
    body: Callable[[Any], object]
    """For a sample, such as a flower: bytes as they are, or what is sent as JSON."""
    answer: Callable[[Any], Answer]
    """Takes it out of the JSON that comes back."""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})

    def encoded(self, sample: Any = FLOWERS[1]) -> bytes:
        """The body for a sample."""
        body = self.body(sample)
        return body if isinstance(body, bytes) else json.dumps(body).encode()


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


def ask(port: int, question: Question, sample: Any = FLOWERS[1]) -> tuple[int, bytes]:
    """Ask a server of this machine once.

    Returns:
        The status and the body.

    Raises:
        OSError: Nobody answers.
        HTTPException: What answers is no HTTP.
    """
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", question.path, question.encoded(sample), dict(question.headers))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def check(
    port: int,
    question: Question,
    samples: Iterable[Any],
    expected: Callable[[Any], Answer],
) -> None:
    """See that a server answers what the model itself does.

    Raises:
        AssertionError: It does not.
    """
    for sample in samples:
        status, body = ask(port, question, sample)
        shown = str(sample)[:100]
        assert status == 200, f"{question.path} answered {status} to {shown}: {body[:500]!r}"
        answer, wanted = question.answer(json.loads(body)), expected(sample)
        assert answer.is_close_to(wanted), f"{question.path} answered {answer} to {shown}, not {wanted}"
