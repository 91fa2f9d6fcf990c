"""Inferences: who may ask how, what is counted, and who answers when this pod's model does not."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from enum import Enum
from functools import partial
from typing import Any, Final

from viridian_serving import excuse, oip_paths, passthrough
from viridian_serving.api_keys import KeyRing
from viridian_serving.aside import aside
from viridian_serving.body_budget import BodyBudget
from viridian_serving.config import Settings
from viridian_serving.content_coding import unpack
from viridian_serving.counting import counted
from viridian_serving.deaths import DIED, Deaths
from viridian_serving.failures import ABANDONED, failure_of
from viridian_serving.fallback import MARK, Fallback
from viridian_serving.http_client import HttpClient
from viridian_serving.http_messages import Headers, Request, Response
from viridian_serving.metrics import FrozenCounters, Outcome, Via, outcome_of
from viridian_serving.model_watch import ModelWatch
from viridian_serving.patience import fault_of, patience_of
from viridian_serving.predict import Predictor
from viridian_serving.problems import Problem
from viridian_serving.queries import NO_STORE
from viridian_serving.rate_limit import ClientLimits
from viridian_serving.readiness import Readiness
from viridian_serving.refusals import busy, limited, too_late
from viridian_serving.responses import complete, request_id_of
from viridian_serving.seen import Seen
from viridian_serving.wire import HEADER_LENGTH

_VIA_BY_HEADER: Final = {via.value.encode(): via for via in Via}
_RESCUED: Final = frozenset({Via.SPLIT, Via.PIN})
"""What the route gives this pod. A check is about this very model, and so is a direct call."""
_FALLBACK_SHARE: Final = 0.25
"""Share of the queue that requests of other pods may find taken before they are turned away."""


class Trust(Enum):
    """What a listener believes of the header ``Viridian-Via``, by who can reach it."""

    ROUTE = "route"
    """The color's Service: the gateway sets the header on every request."""
    FALLBACK_ONLY = "fallback"
    """The Service of stable: anybody in the cluster; only another pod's plea for help is told apart.

    Nothing that comes in here is ever passed on to another pod, whatever its headers say.
    """

    def via(self, request: Request) -> Via:
        """Tell how a request came."""
        claimed = _VIA_BY_HEADER.get(request.headers.get(b"viridian-via", b""), Via.DIRECT)
        if self is Trust.FALLBACK_ONLY and claimed is not Via.FALLBACK:
            return Via.DIRECT
        return claimed


Answer = Callable[[Seen], Awaitable[Response]]


class Inferences:
    """Answers what counts."""

    def __init__(
        self,
        settings: Settings,
        triton: HttpClient,
        counters: FrozenCounters,
        headers: Headers,
        observe: Callable[[Seen], None],
        budget: BodyBudget,
    ) -> None:
        """Wire it up, in the running event loop.

        Args:
            settings: Of this pod.
            triton: The way to Triton.
            counters: Where outcomes are counted.
            headers: The identity of this pod.
            observe: Gets what was seen of a request that is over.
            budget: Of requests' bodies.
        """
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._triton = triton
        self._counters = counters
        self._headers = headers
        self._observe = observe
        self._budget = budget
        self.max_body = settings.max_body
        """Bytes of a body, unpacked."""
        self.deaths = Deaths(partial(excuse.leave, settings.run_dir))
        self._passing = 0
        self._given_up: set[asyncio.Task[Response]] = set()
        """Answers that their clients did not wait for, and that count all the same."""
        self.direct_in_flight = 0
        """Inferences that came by no route and run."""
        self.readiness = Readiness(lambda: self.fallback is not None and self.fallback.usable)
        self.predictor: Predictor | None = None
        self.model_watch: ModelWatch | None = None
        self.fallback: Fallback | None = None
        self.limits = ClientLimits()
        self.keys = KeyRing() if settings.api_keys_dir is not None else None
        """The keys of clients; None where the model answers everybody."""

    def find(self, request: Request) -> Answer | None:
        """Give what answers a request, if it is an inference."""
        if request.path == b"/predict":
            if request.method == b"POST":
                return self._predict
            return self._predict_one if request.method in (b"GET", b"HEAD") else None
        return self._infer if oip_paths.is_inference(request) else None

    def answer(self, request: Request, trust: Trust, answer: Answer) -> Awaitable[Response]:
        """Answer an inference.

        Args:
            request: What is asked.
            trust: What the listener believes.
            answer: What find() gave for it.

        Returns:
            What the client gets.
        """
        via = trust.via(request)
        seen = self._seen(request, via)
        if (stranger := self._stranger(seen)) is not None:
            answer = partial(_refused, stranger)
        elif via is Via.FALLBACK and self._is_busy():
            answer = partial(_refused, busy())
        elif (fault := fault_of(request)) is not None:
            answer = partial(_refused, fault)
        elif b"content-encoding" in request.headers:
            answer = partial(self._unpacked, answer)
        own = self._own(seen, answer)
        # That of a pod that asks for help is the request's own: what nobody waits for, stable does not go on with.
        patience = patience_of(request) if via is not Via.FALLBACK else None
        end = seen.deadline if patience is None else min(seen.deadline, self._after(request, patience))
        if trust is Trust.ROUTE and via in _RESCUED and self.fallback is not None and self.fallback.can_help(request):
            own = self.fallback.answer(seen, end, own)
        if self.predictor is not None and self.predictor.cache is not None:
            own = self._or_stale(seen, self.predictor, own)
        if end < seen.deadline:
            own = self._in_time(seen, end, own)
        return self._told(seen, own)

    async def direct(self, request: Request, answer: Answer) -> Response:
        """Answer an inference that came by no route, and is passed to Triton as it is.

        Args:
            request: Stands for what is asked: the message, who asks, since when, and whether they have left.
            answer: Gives the answer.

        Returns:
            What the client gets.
        """
        seen = self._seen(request, Via.DIRECT)
        answer = partial(self._pass, answer)
        if (stranger := self._stranger(seen)) is not None:
            answer = partial(_refused, stranger)
        self.direct_in_flight += 1
        try:
            return await self._told(seen, self._own(seen, answer))
        finally:
            self.direct_in_flight -= 1

    def _seen(self, request: Request, via: Via) -> Seen:
        return Seen(request, request_id_of(request), via, self._deadline(request, via), time.time_ns())

    def admit(self, headers: Mapping[bytes, bytes]) -> str:
        """Return the name of the client that asks; empty where the model answers everybody.

        Args:
            headers: Of its request.

        Raises:
            Problem: 401: it has no valid key.
        """
        return "" if self.keys is None else self.keys.client_of(headers)

    def _stranger(self, seen: Seen) -> Problem | None:
        """Note who asks; return the problem of a client without a valid key."""
        try:
            seen.client = self.admit(seen.request.headers)
        except Problem as problem:
            return problem
        return None

    async def _in_time(self, seen: Seen, end: float, answer: Coroutine[Any, Any, Response]) -> Response:
        """Await an answer for as long as the client waits. One whose time is over is as one that has left."""
        task = self._loop.create_task(answer)
        try:
            await asyncio.wait((task,), timeout=end - self._loop.time())
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done():
            return task.result()
        self._given_up.add(task)
        task.add_done_callback(self._given_up.discard)
        seen.request.leave()
        return await complete(partial(_refused, too_late()), seen, seen.request_id, self._headers)

    async def _or_stale(self, seen: Seen, predictor: Predictor, answer: Awaitable[Response]) -> Response:
        """Await an answer; where it is an error, an earlier one is better, if it may be given."""
        response = await answer
        if MARK in response.headers and response.status == 200:
            predictor.keep(seen, response.body)
        if response.status < 500 or seen.via is Via.FALLBACK:
            return response
        return predictor.stale(seen) or response

    async def _told(self, seen: Seen, answer: Awaitable[Response]) -> Response:
        """Await what the client gets, and note who gave it."""
        try:
            response = await answer
            if not seen.request.gone:
                seen.status, seen.answered_by = response.status, _who_answered(response)
            return response
        finally:
            seen.seconds = time.perf_counter() - seen.request.received
            self._finish(seen)

    async def _own(self, seen: Seen, answer: Answer) -> Response:
        request, via = seen.request, seen.via
        # A pod that asks for help is a client as any other: anybody may say that he is one.
        if wait := self.limits.wait_of(request, seen.client, trusted=via not in (Via.DIRECT, Via.FALLBACK)):
            answer = partial(_refused, limited(wait))
        seen.outcome, seen.failure = Outcome.ERROR, ABANDONED  # what it is counted as when it is given up
        try:
            response, outcome = await counted(
                request,
                via,
                self._counters,
                self._settings.abandoned_after,
                complete(answer, seen, seen.request_id, self._headers),
                seen.witness,
                self._judged,
            )
            seen.outcome = outcome
            seen.failure = failure_of(response) if outcome is Outcome.ERROR else None
        finally:
            self._finish(seen)
        if self.model_watch is not None:
            if outcome is Outcome.OK and not response.cached:
                self.model_watch.answered(seen.instances)
            elif response.status >= 500 and response.problem not in ("queue-full", "busy", "no-room"):
                self.model_watch.failed()
        return response

    def _judged(self, response: Response) -> Outcome:
        """Tell what an answer of this pod says about its model."""
        excused = response.problem in (DIED, "model-unreachable") and self.deaths.excuse()
        return Outcome.UNJUDGED if excused or response.problem == "no-room" else outcome_of(response.status)

    async def _unpacked(self, answer: Answer, seen: Seen) -> Response:
        await unpack(seen.request, self.max_body, self._budget)
        return await answer(seen)

    def _finish(self, seen: Seen) -> None:
        if seen.outcome is Outcome.ERROR and seen.witness is not None and seen.witness.said is Outcome.UNJUDGED:
            seen.outcome, seen.failure = Outcome.UNJUDGED, None
        seen.unfinished -= 1
        if not seen.unfinished:
            self._observe(seen)

    def _deadline(self, request: Request, via: Via) -> float:
        longest = self._settings.timeout
        if via is Via.FALLBACK and (left := patience_of(request)) is not None:
            longest = min(longest, left)
        return self._after(request, longest)

    def _after(self, request: Request, seconds: float) -> float:
        """Give a time after a request, on the event loop's clock."""
        return self._loop.time() + seconds - (time.perf_counter() - request.received)

    def _is_busy(self) -> bool:
        queued = self.predictor.model.joiner.queued_rows if self.predictor is not None else 0
        return queued + self._passing > _FALLBACK_SHARE * self._settings.max_queue

    def _predict(self, seen: Seen) -> Awaitable[Response]:
        return self.started().answer(seen)

    async def _predict_one(self, seen: Seen) -> Response:
        request = seen.request
        try:
            question = self.started().questions.read(request.query)
            if question.is_known_to(request):
                return Response(304, b"", headers=question.headers)
            request.body = question.body  # as which stable is asked, too
            answer = await self._predict(seen)
            return replace(answer, headers=(*answer.headers, *question.headers))
        except Problem as problem:
            problem.headers = (*problem.headers, NO_STORE)
            raise

    def started(self) -> Predictor:
        """Give what predicts.

        Raises:
            Problem: It is not known yet what the model takes.
        """
        if self.predictor is None:
            raise Problem(503, "starting", f"{self.readiness.reason}; try again shortly.")
        return self.predictor

    def _infer(self, seen: Seen) -> Awaitable[Response]:
        return self._pass(self._forward, seen)

    async def _forward(self, seen: Seen) -> Response:
        request, predictor = seen.request, self.started()
        if (model := oip_paths.model_of(request)) != self._settings.model:
            raise oip_paths.no_model(model)
        length = request.headers.get(HEADER_LENGTH)
        looked_at = predictor.protocol.effort(request.body, length)
        asked = await aside(looked_at, partial(predictor.protocol.read, request.body, length))
        seen.asked = asked.tensors
        self.deaths.check(seen)
        return await passthrough.forward(self._triton, request, seen.deadline, asked)

    async def _pass(self, answer: Answer, seen: Seen) -> Response:
        if not self.started().model.contract.raw:
            raise Problem(
                403,
                "raw-closed",
                "The inference protocol is closed: this model's schema.yaml says what is taken and answered, "
                "at POST /predict.",
            )
        self._passing += 1
        seen.interest.sent = time.perf_counter()
        try:
            seen.passed = response = await answer(seen)
        except Problem as problem:
            if problem.kind == DIED:
                self.deaths.note(seen)
            raise
        else:
            return response
        finally:
            self._passing -= 1
            seen.answered = time.perf_counter()


def _who_answered(response: Response) -> str:
    if response.cached:
        return "cache"
    if MARK in response.headers:
        return "stable"
    return "model" if response.status < 400 else "pod"


def _refused(problem: Problem, _: Seen) -> Awaitable[Response]:
    raise problem
