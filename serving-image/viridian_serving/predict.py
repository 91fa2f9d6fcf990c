"""``POST /predict``."""

import asyncio
import logging
import time
from collections.abc import Sequence

import msgspec

from viridian_serving.feedback_token import TokenWriter
from viridian_serving.instances import InstanceReader
from viridian_serving.joiner import CallFailedError, Interest, QueueFullError
from viridian_serving.model import BadAnswerError, Model, ModelFailedError, Prediction, UnreachableError
from viridian_serving.problems import Problem, Violation
from viridian_serving.seen import Seen
from viridian_serving.wire import Encoded

LOG = logging.getLogger("viridian.api")


class Predictor:
    """Answers prediction requests of one model."""

    def __init__(
        self, model: Model, max_instances: int, identity: dict[str, str], tokens: TokenWriter | None = None
    ) -> None:
        """Prepare.

        Args:
            model: What predicts.
            max_instances: Most instances in one request.
            identity: Members that every answer carries: model, version, revision.
            tokens: Signs predictions for feedback; None when the pod has no key.
        """
        self.model = model
        self._tokens = tokens
        self._reader = InstanceReader(model.schema, max_instances)
        self._identity = identity

    async def answer(
        self,
        body: bytes,
        deadline: float,
        request_id: str,
        interest: Interest | None,
        seen: Seen,
    ) -> bytes:
        """Predict.

        Args:
            body: The request's.
            deadline: On the event loop's clock, in seconds.
            request_id: Given back in the answer.
            interest: Whether the client still waits; None if it does.
            seen: Gets what is learnt on the way.

        Returns:
            The answer's body.

        Raises:
            Problem: What the client gets instead.
        """
        instances = self._reader.read(body)
        seen.instances, seen.many, seen.queued = instances.encoded, instances.many, time.perf_counter()
        try:
            if instances.many:
                seen.predictions = await self._predict_many(instances.encoded, deadline, request_id, interest)
            else:
                seen.predictions = await self._predict(instances.encoded[0], deadline, request_id, interest)
        finally:
            seen.answered = time.perf_counter()
        if not instances.many:
            (prediction,) = self._signed(seen)
            return msgspec.json.encode({**prediction, **self._identity, "request_id": request_id})
        return msgspec.json.encode({"predictions": self._signed(seen), **self._identity, "request_id": request_id})

    def _signed(self, seen: Seen) -> Sequence[Prediction]:
        if self._tokens is None:
            return seen.predictions
        write, now = self._tokens.write, int(time.time())
        tokens = [write(prediction["prediction"], seen.via, now) for prediction in seen.predictions]
        return [
            {**prediction, "feedback_token": token} if token is not None else prediction
            for prediction, token in zip(seen.predictions, tokens, strict=True)
        ]

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
    if isinstance(error, ModelFailedError):
        return Problem(500, "model-failed", "The model failed on this input; the server's log says why, by request_id.")
    if isinstance(error, BadAnswerError):
        return Problem(
            502, "bad-answer", "The model's answer cannot be read; the server's log says why, by request_id."
        )
    return Problem(504, "timeout", "The model did not answer in time; send the request again, or fewer instances.")
