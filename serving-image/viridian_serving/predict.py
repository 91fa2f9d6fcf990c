"""``POST /predict``."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import msgspec

from viridian_serving.answers import Prediction
from viridian_serving.instances import InstanceReader, Instances, grouped
from viridian_serving.joiner import CallFailedError, Interest, QueueFullError
from viridian_serving.model import BadAnswerError, Model, ModelFailedError, UnreachableError
from viridian_serving.preprocessing import PreprocessFailedError, Preprocessor
from viridian_serving.problems import Problem, Violation
from viridian_serving.queries import QuestionReader
from viridian_serving.wire import Encoded

LOG = logging.getLogger("viridian.api")

_R = TypeVar("_R")
_SMALL: Final = 64 * 1024
"""Bytes that are read carefully in a few milliseconds."""


class Predictor:
    """Answers prediction requests of one model."""

    def __init__(
        self,
        model: Model,
        max_instances: int,
        identity: dict[str, str],
        preprocessor: Preprocessor | None = None,
    ) -> None:
        """Prepare.

        Args:
            model: What predicts.
            max_instances: Most instances in one request.
            identity: Members that every answer carries: model, version, revision.
            preprocessor: Makes the model's inputs; by default they are what is sent.
        """
        self.model = model
        self.questions = QuestionReader(model.contract, identity["revision"])
        self._preprocessor = preprocessor
        # One thread: more would only take the event loop's turns away from it.
        self._reading = ThreadPoolExecutor(1, "reading")
        self._reader = InstanceReader(model.contract.requests, max_instances)
        self._identity = identity

    async def answer(self, body: bytes, deadline: float, request_id: str, interest: Interest | None = None) -> bytes:
        """Predict.

        Args:
            body: The request's.
            deadline: On the event loop's clock, in seconds.
            request_id: Given back in the answer.
            interest: Whether the client still waits; by default it does.

        Returns:
            The answer's body.

        Raises:
            Problem: What the client gets instead.
        """
        instances = self._reader.read_fast(body) if self._preprocessor is None else None
        if instances is None:
            instances = await self.read(body, deadline, request_id)
        if not instances.many:
            (prediction,) = await self._predict(instances.encoded[0], deadline, request_id, interest)
            return msgspec.json.encode({**prediction, **self._identity, "request_id": request_id})
        predictions = await self._predict_many(instances.encoded, deadline, request_id, interest)
        return msgspec.json.encode({"predictions": predictions, **self._identity, "request_id": request_id})

    async def read(self, body: bytes, deadline: float, request_id: str) -> Instances:
        """Read a body carefully, and by way of preprocess.py if there is one.

        Args:
            body: A request's.
            deadline: On the event loop's clock, in seconds.
            request_id: For the log.

        Returns:
            The encoded instances.

        Raises:
            Problem: What the client gets instead.
        """
        if self._preprocessor is None:
            return await self._aside(self._reader.read_carefully, body)
        items, many = await self._aside(self._reader.items, body)
        try:
            encoded = await self._preprocessor.encode(items, deadline, many=many)
        except (QueueFullError, CallFailedError, TimeoutError) as error:
            raise problem_of(error, request_id) from error
        return Instances(list(grouped(encoded, self.model.schema.max_batch)), many)

    async def _aside(self, read: Callable[[bytes], _R], body: bytes) -> _R:
        """Read a small body at once, and a large one beside the event loop, which must answer others meanwhile."""
        if len(body) <= _SMALL:
            return read(body)
        return await asyncio.get_running_loop().run_in_executor(self._reading, read, body)

    async def _predict(
        self, encoded: Encoded, deadline: float, request_id: str, interest: Interest | None
    ) -> list[Prediction]:
        try:
            return await self.model.submit(encoded, deadline, interest)
        except (QueueFullError, CallFailedError, TimeoutError) as error:
            raise problem_of(error, request_id) from error

    async def _predict_many(
        self, parts: Sequence[Encoded], deadline: float, request_id: str, interest: Interest | None
    ) -> list[Prediction]:
        results = await asyncio.gather(
            *(self._predict(part, deadline, request_id, interest) for part in parts), return_exceptions=True
        )
        predictions: list[Prediction] = []
        failed: list[tuple[int, Problem]] = []
        position = 0
        for part, result in zip(parts, results, strict=True):
            if isinstance(result, Problem):
                failed.append((position, result))
            elif isinstance(result, BaseException):
                raise result
            else:
                predictions += result
            position += part.rows
        if failed:
            first = failed[0][1]
            raise Problem(
                first.status,
                first.kind,
                first.detail,
                [Violation(f"#/{start}", "the part of the list that begins here failed") for start, _ in failed],
                headers=first.headers,
            )
        return predictions


def problem_of(error: Exception, request_id: str) -> Problem:
    """Say what the client gets when the model gave no answer.

    Args:
        error: Why.
        request_id: For the log.

    Returns:
        The problem.
    """
    retry = ((b"Retry-After", b"1"),)
    if isinstance(error, TimeoutError):
        return Problem(504, "timeout", "The model did not answer in time; send the request again, or fewer instances.")
    if isinstance(error, QueueFullError):
        return Problem(
            503, "queue-full", "Too many requests wait for the model; send this one again in a second.", headers=retry
        )
    LOG.warning("request %s: %s: %s", request_id, type(error).__name__, error)
    if isinstance(error, UnreachableError):
        return Problem(503, "model-unreachable", "The model is starting again; try in a second.", headers=retry)
    if isinstance(error, PreprocessFailedError):
        return Problem(
            500, "preprocess-failed", "preprocess.py failed on this input; the server's log says why, by request_id."
        )
    if isinstance(error, ModelFailedError):
        return Problem(500, "model-failed", "The model failed on this input; the server's log says why, by request_id.")
    if isinstance(error, BadAnswerError):
        return Problem(
            502, "bad-answer", "The model's answer cannot be read; the server's log says why, by request_id."
        )
    return Problem(504, "timeout", "The model did not answer in time; send the request again, or fewer instances.")
