"""A version under check that is a table of answers."""

import json
from collections.abc import Callable
from typing import Any

from viridian_serving.http1.client import Reply

Answer = Callable[[Any], tuple[int, Any]]


class Version:
    """Stands for a Target: answers by a function, and shows documents.

    Attributes:
        asked: What was asked of it.
    """

    def __init__(self, answer: Answer, schema: dict[str, Any] | None = None, golden: bytes | None = None) -> None:
        self._answer, self._golden = answer, golden
        self._schema = {"raw": False, **(schema or {"features": [], "example": {"x": 0}})}
        self.asked: list[Any] = []

    async def get(self, path: str) -> Reply:
        if path == "/schema":
            return Reply(200, {}, json.dumps(self._schema).encode())
        if path == "/golden.jsonl" and self._golden is not None:
            return Reply(200, {}, self._golden)
        return Reply(404, {}, b'{"detail": "There is no such thing here."}')

    async def predict(self, body: bytes, seconds: float = 0.0) -> Reply:
        self.asked.append(json.loads(body))
        status, answer = self._answer(self.asked[-1])
        return Reply(status, {}, json.dumps(answer).encode())


def refusing(*values: object) -> Answer:
    """Refuse some values of x, and answer 1 to all others."""

    def answer(request: Any) -> tuple[int, Any]:
        if request["x"] in values:
            return 400, {"detail": "no", "errors": [{"pointer": "/x", "detail": "is not one of 0, 1"}]}
        return 200, {"prediction": 1}

    return answer


def failing(*values: object) -> Answer:
    """Fail for some values of x, and answer 1 to all others."""
    return lambda request: (500, {"detail": "boom"}) if request["x"] in values else (200, {"prediction": 1})
