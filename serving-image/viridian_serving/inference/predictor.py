"""``POST /predict``."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from viridian_serving.codec.answers import Prediction
from viridian_serving.codec.instances import InstanceReader, Instances, grouped
from viridian_serving.codec.offload import aside
from viridian_serving.codec.oip import Encoded
from viridian_serving.codec.oip_request import InferReader
from viridian_serving.contract.query_string import QuestionReader
from viridian_serving.feedback.token import TokenWriter
from viridian_serving.http1.messages import Response
from viridian_serving.http1.problems import Problem, Violation
from viridian_serving.inference.batcher import CallFailedError, QueueFullError
from viridian_serving.inference.cache import AnswerCache, CacheStats, Entry, key_of
from viridian_serving.inference.deaths import DIED, GIVEN_UP, Deaths, unreachable
from viridian_serving.inference.model import (
    BadAnswerError,
    DiedError,
    GivenUpError,
    Model,
    ModelFailedError,
    UnreachableError,
)
from viridian_serving.inference.preprocessing import PreprocessFailedError, Preprocessor
from viridian_serving.inference.request_context import RequestContext
from viridian_shared.counts.via import USERLESS

if TYPE_CHECKING:
    from viridian_serving.codec.oip_grpc_request import MessageReader

LOG = logging.getLogger("viridian.api")

FRESH: Final = "hit"
STALE: Final = "stale"
"""How an answer was found that was given before; the value of header ``Viridian-Cache`` and of member ``cached``."""
_FAILURES: Final = (QueueFullError, CallFailedError, TimeoutError)
_OF_ONE_REQUEST: Final = frozenset({"model", "version", "revision", "request_id", "feedback_token", "cached"})
_ENDED: Final = "The model's process ended while it worked on this; it is not tried again"
_KINDS: Final[dict[type[Exception], tuple[int, str, str]]] = {
    GivenUpError: (500, GIVEN_UP, _ENDED),
    DiedError: (500, DIED, _ENDED),
    PreprocessFailedError: (500, "preprocess-failed", "preprocess.py failed on this input"),
    ModelFailedError: (500, "model-failed", "The model failed on this input"),
    BadAnswerError: (502, "bad-answer", "The model's answer cannot be read"),
}


class Predictor:
    """Answers prediction requests of one model."""

    def __init__(
        self,
        model: Model,
        max_instances: int,
        identity: dict[str, str],
        preprocessor: Preprocessor | None = None,
        tokens: TokenWriter | None = None,
        deaths: Deaths | None = None,
    ) -> None:
        """Prepare.

        Args:
            model: What predicts.
            max_instances: Most instances in one request.
            identity: Members that every answer carries: model, version, revision.
            preprocessor: Makes the model's inputs; by default they are what is sent.
            tokens: Signs predictions for feedback; None when the pod has no key.
            deaths: Inputs under which Triton ended; by default none are known.
        """
        self.model = model
        self.questions = QuestionReader(model.contract, identity["revision"])
        self._preprocessor = preprocessor
        self._tokens = tokens
        self._reader = InstanceReader(model.contract.requests, max_instances)
        self._identity = identity
        self.cache: AnswerCache | None = None
        """Answers that may be given again; None when each is the model's."""
        self.cache_stats = CacheStats()
        self.deaths = Deaths() if deaths is None else deaths
        self.protocol = InferReader(model.contract.model)
        """Reads requests of the inference protocol."""

    @cached_property
    def messages(self) -> "MessageReader":
        """Reads requests of the inference protocol that come by gRPC."""
        from viridian_serving.codec.oip_grpc_request import (
            MessageReader,  # its library takes memory, and few come by gRPC
        )

        return MessageReader(self.model.contract.model, self._identity["model"])

    async def answer(self, context: RequestContext) -> Response:
        """Predict.

        Args:
            context: The request; gets what is learnt on the way.

        Returns:
            The answer.

        Raises:
            Problem: What the client gets instead.
        """
        body = context.request.body
        instances = self._reader.read_fast(body) if self._preprocessor is None else None
        if instances is None:
            instances = await self.read(body, context.deadline, context.request_id)
        context.instances, context.many, context.queued = instances.encoded, instances.many, time.perf_counter()
        age = None
        try:
            if self.cache is None or context.via in USERLESS:
                context.predictions = await self._ask(instances, context)
            else:
                context.key = key_of(instances.encoded, many=instances.many)
                context.predictions, age = await self._again(self.cache, instances, context)
        except _FAILURES as error:
            raise problem_of(error, context.request_id) from error
        finally:
            context.answered = time.perf_counter()
        return self._written(context, self._signed(context), self._identity, age)

    def stale(self, context: RequestContext) -> Response | None:
        """Return an old answer instead of an error, if there is one to give.

        Args:
            context: A request that failed, here and at stable.
        """
        if self.cache is None or not context.key:
            return None
        now = time.monotonic()
        entry = self.cache.stale(context.key, now)
        if entry is None:
            return None
        self.cache_stats.stale += 1
        identity = {**self._identity, "version": entry.version, "revision": entry.revision}
        answer = self._written(context, entry.read(), identity, now - entry.at, STALE)
        who = ((b"Viridian-Revision", entry.revision.encode()), (b"Viridian-Version", entry.version.encode()))
        return answer.with_headers((*who, (b"X-Request-Id", context.request_id.encode())))

    def keep(self, context: RequestContext, answer: bytes) -> None:
        """Keep what stable answered, for when neither answers any more.

        Args:
            context: The request.
            answer: The body of stable's answer.
        """
        if self.cache is None or not context.key:
            return
        document = msgspec.json.decode(answer, type=dict[str, Any])
        given = document["predictions"] if context.many else [document]
        predictions = [{name: value for name, value in each.items() if name not in _OF_ONE_REQUEST} for each in given]
        encoded = msgspec.json.encode(predictions)
        self.cache.put(context.key, Entry(document["revision"], document["version"], encoded, time.monotonic()))

    async def _ask(self, instances: Instances, context: RequestContext) -> list[Prediction]:
        self.deaths.check(context)
        try:
            if instances.many:
                return await self._ask_many(instances.encoded, context)
            return await self.model.submit(instances.encoded[0], context.deadline, context.demand)
        except GivenUpError:
            self.deaths.note_given_up(context)
            raise
        except DiedError as error:
            if not self.deaths.note(context):
                raise UnreachableError(str(error)) from error
            raise

    async def _again(
        self, cache: AnswerCache, instances: Instances, context: RequestContext
    ) -> tuple[list[Prediction], float | None]:
        """Answer from the cache, or by the model; in the former case with the answer's age in seconds."""
        now = time.monotonic()
        revision, version = self._identity["revision"], self._identity["version"]
        entry = cache.fresh(context.key, revision, now)
        if entry is not None:
            self.cache_stats.hits += 1
            return entry.read(), now - entry.at
        own: list[Prediction] = []

        async def give() -> Entry:
            nonlocal own
            self.cache_stats.misses += 1
            own = await self._ask(instances, context)
            entry = Entry(revision, version, msgspec.json.encode(own), time.monotonic())
            cache.put(context.key, entry)
            return entry

        entry, shared = await cache.join(context.key, give, context.deadline - asyncio.get_running_loop().time())
        self.cache_stats.shared += shared
        return (entry.read(), 0.0) if shared else (own, None)

    def _written(
        self,
        context: RequestContext,
        predictions: Sequence[Prediction],
        identity: Mapping[str, str],
        age: float | None,
        how: str = FRESH,
    ) -> Response:
        members = {**identity, "request_id": context.request_id}
        body: dict[str, object] = (
            {"predictions": predictions, **members} if context.many else {**predictions[0], **members}
        )
        if age is None:
            return Response(200, msgspec.json.encode(body))
        headers = ((b"Age", b"%d" % age), (b"Viridian-Cache", how.encode()))
        return Response(200, msgspec.json.encode({**body, "cached": how}), headers=headers, cached=True)

    def _signed(self, context: RequestContext) -> Sequence[Prediction]:
        if self._tokens is None:
            return context.predictions
        write, now = self._tokens.write, int(time.time())
        # One that schema.yaml keeps back is not told by its token either.
        tokens = [
            write(prediction["prediction"], context.via, now, prediction.get("confidence"))
            if "prediction" in prediction
            else None
            for prediction in context.predictions
        ]
        return [
            {**prediction, "feedback_token": token} if token is not None else prediction
            for prediction, token in zip(context.predictions, tokens, strict=True)
        ]

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
            return await aside(len(body), partial(self._reader.read_carefully, body))
        items, many = await aside(len(body), partial(self._reader.items, body))
        try:
            encoded = await self._preprocessor.encode(items, deadline, many=many)
        except _FAILURES as error:
            raise problem_of(error, request_id) from error
        return Instances(list(grouped(encoded, self.model.schema.max_batch)), many)

    async def _ask_one(self, encoded: Encoded, context: RequestContext) -> list[Prediction]:
        return await self.model.submit(encoded, context.deadline, context.demand)

    async def _ask_many(self, parts: Sequence[Encoded], context: RequestContext) -> list[Prediction]:
        results = await asyncio.gather(*(self._ask_one(part, context) for part in parts), return_exceptions=True)
        predictions: list[Prediction] = []
        failed: list[tuple[int, Problem]] = []
        position = 0
        for part, result in zip(parts, results, strict=True):
            if isinstance(result, _FAILURES) and not isinstance(result, DiedError):
                failed.append((position, problem_of(result, context.request_id)))
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
                cause=first.cause,
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
        return unreachable()
    found = next((each for each in _KINDS if isinstance(error, each)), None)
    if found is not None:
        status, kind, what = _KINDS[found]
        cause = error.cause if isinstance(error, PreprocessFailedError) else str(error)
        return Problem(status, kind, f"{what}; the server's log says why, by request_id.", cause=cause)
    return Problem(504, "timeout", "The model did not answer in time; send the request again, or fewer instances.")
