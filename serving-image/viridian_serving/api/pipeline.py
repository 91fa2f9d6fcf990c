"""Inferences: who may ask how, what is counted, and who answers when this pod's model does not."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from functools import partial
from typing import Final

from viridian_serving.api import oip_proxy
from viridian_serving.api.api_keys import KeyRing
from viridian_serving.api.client_timeout import client_timeout, fault_of
from viridian_serving.api.content_coding import unpack
from viridian_serving.api.fallback import MARK, Fallback
from viridian_serving.api.outcomes import counted
from viridian_serving.api.rate_limit import ClientLimits
from viridian_serving.api.refusals import busy, limited, too_late
from viridian_serving.api.responses import complete
from viridian_serving.codec import oip_paths
from viridian_serving.codec.offload import aside
from viridian_serving.codec.oip import HEADER_LENGTH
from viridian_serving.contract.query_string import NO_STORE
from viridian_serving.http1.body_budget import BodyBudget
from viridian_serving.http1.client import HttpClient
from viridian_serving.http1.messages import Headers, Request, Response
from viridian_serving.http1.problems import Problem
from viridian_serving.http1.request_ids import request_id_of
from viridian_serving.inference.deaths import DIED, GIVEN_UP, UNREACHABLE, Deaths, unreachable
from viridian_serving.inference.loaded_model import LoadedModel
from viridian_serving.inference.predictor import Predictor
from viridian_serving.inference.readiness import Readiness
from viridian_serving.inference.request_context import RequestContext
from viridian_serving.metrics.guard_counters import FrozenCounters, outcome_of
from viridian_serving.settings.config import Settings
from viridian_serving.telemetry.failures import ABANDONED, failure_of
from viridian_serving.triton import excuse, replacement
from viridian_shared.counts.outcome import Outcome
from viridian_shared.counts.via import HEADER, Via

_VIA_HEADER: Final = HEADER.lower().encode()
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
    """The Service of stable: anybody in the cluster; only another pod's fallback request is distinguished.

    Nothing that comes in here is ever passed on to another pod, whatever its headers say.
    """

    def via(self, request: Request) -> Via:
        """Return how a request came."""
        claimed = _VIA_BY_HEADER.get(request.headers.get(_VIA_HEADER, b""), Via.DIRECT)
        if self is Trust.FALLBACK_ONLY and claimed is not Via.FALLBACK:
            return Via.DIRECT
        return claimed


Answer = Callable[[RequestContext], Awaitable[Response]]


class Inferences:
    """Answers what counts."""

    def __init__(
        self,
        settings: Settings,
        triton: HttpClient,
        counters: FrozenCounters,
        headers: Headers,
        observe: Callable[[RequestContext], None],
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
        self.deaths = Deaths(partial(excuse.leave, settings.run_dir), partial(replacement.ask_for, settings.run_dir))
        self._passing = 0
        self._given_up: set[asyncio.Task[Response]] = set()
        """Answers that their clients did not wait for, and that count all the same."""
        self.direct_in_flight = 0
        """Inferences that came by no route and run."""
        self.readiness = Readiness(lambda: self.fallback is not None and self.fallback.usable)
        self.loaded: LoadedModel | None = None
        """The model; None until it is known what it takes."""
        self.fallback: Fallback | None = None
        self.limits = ClientLimits()
        self.keys = KeyRing() if settings.api_keys_dir is not None else None
        """The keys of clients; None where the model answers everybody."""

    @property
    def predictor(self) -> Predictor | None:
        """What predicts; None until it is known what the model takes."""
        return None if self.loaded is None else self.loaded.predictor

    def find(self, request: Request) -> Answer | None:
        """Return what answers a request, if it is an inference."""
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
        return self._recorded(self._context(request, trust.via(request)), trust, answer)

    async def direct(self, request: Request, answer: Answer) -> Response:
        """Answer an inference that came by no route, and is passed to Triton as it is.

        Args:
            request: Stands for what is asked: the message, who asks, since when, and whether they have left.
            answer: Gives the answer.

        Returns:
            What the client gets.
        """
        self.direct_in_flight += 1
        try:
            context = self._context(request, Via.DIRECT)
            return await self._recorded(context, Trust.FALLBACK_ONLY, partial(self._pass, answer))
        finally:
            self.direct_in_flight -= 1

    def _context(self, request: Request, via: Via) -> RequestContext:
        return RequestContext(
            request, request_id_of(request.headers), via, self._deadline(request, via), time.time_ns()
        )

    # -- the stages of every inference, in the order in which it meets them

    async def _recorded(self, context: RequestContext, trust: Trust, answer: Answer) -> Response:
        """Return what the client gets, and note who gave it."""
        try:
            response = await self._in_time(context, trust, answer)
            if not context.request.gone:
                context.status, context.answered_by = response.status, _who_answered(response)
            return response
        finally:
            context.seconds = time.perf_counter() - context.request.received
            self._finish(context)

    async def _in_time(self, context: RequestContext, trust: Trust, answer: Answer) -> Response:
        """Wait for as long as the client does. One whose time is over is as one that has left."""
        end = self._end(context)
        if end >= context.deadline:
            return await self._or_stale(context, end, trust, answer)
        task = self._loop.create_task(self._or_stale(context, end, trust, answer))
        try:
            await asyncio.wait((task,), timeout=end - self._loop.time())
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done():
            return task.result()
        self._given_up.add(task)
        task.add_done_callback(self._given_up.discard)
        context.request.leave()
        return await complete(partial(_refused, too_late()), context, context.request_id, self._headers)

    async def _or_stale(self, context: RequestContext, end: float, trust: Trust, answer: Answer) -> Response:
        """Where the answer is an error, an earlier one is better, if it may be given."""
        response = await self._or_fallback(context, end, trust, answer)
        predictor = self.predictor
        if predictor is None or predictor.cache is None:
            return response
        if MARK in response.headers and response.status == 200:
            predictor.keep(context, response.body)
        if response.status < 500 or context.via is Via.FALLBACK:
            return response
        return predictor.stale(context) or response

    def _or_fallback(self, context: RequestContext, end: float, trust: Trust, answer: Answer) -> Awaitable[Response]:
        """What this pod's model fails, stable answers, if it may be asked."""
        own = self._counted(context, self._admitted(context, answer))
        came_by_route = trust is Trust.ROUTE and context.via in _RESCUED
        if came_by_route and self.fallback is not None and self.fallback.can_help(context.request):
            return self.fallback.answer(context, end, own)
        return own

    def _admitted(self, context: RequestContext, answer: Answer) -> Answer:
        """Return what answers, or what refuses a request that is not even looked at."""
        request, via = context.request, context.via
        try:
            context.client = self.admit(request.headers)
        except Problem as stranger:
            return partial(_refused, stranger)
        # A pod that asks for help is a client as any other: anybody may claim to be one. What stable's pods mirror was
        # held against the client's limit there.
        if via is not Via.MIRROR and (
            wait := self.limits.wait_of(request, context.client, trusted=via not in (Via.DIRECT, Via.FALLBACK))
        ):
            return partial(_refused, limited(wait))
        if via is Via.FALLBACK and self._is_busy():
            return partial(_refused, busy())
        if (fault := fault_of(request)) is not None:
            return partial(_refused, fault)
        return partial(self._unpacked, answer) if b"content-encoding" in request.headers else answer

    async def _counted(self, context: RequestContext, answer: Answer) -> Response:
        """Answer by this pod's own model, and count what came of it."""
        context.outcome, context.failure = Outcome.ERROR, ABANDONED  # what it is counted as when it is given up
        try:
            response, outcome = await counted(
                context.request,
                context.via,
                self._counters,
                self._settings.abandoned_after,
                complete(answer, context, context.request_id, self._headers),
                context.witness,
                self._judged,
            )
            context.outcome = outcome
            context.failure = failure_of(response) if outcome is Outcome.ERROR else None
        finally:
            self._finish(context)
        if self.loaded is not None:
            if outcome is Outcome.OK and not response.cached:
                self.loaded.health.answered(context.instances)
            elif response.status >= 500 and response.problem not in ("queue-full", "busy", "no-room"):
                self.loaded.health.failed()
        return response

    # -- what they need

    def admit(self, headers: Mapping[bytes, bytes]) -> str:
        """Return the name of the client that asks; empty where the model answers everybody.

        Args:
            headers: Of its request.

        Raises:
            Problem: 401: it has no valid key.
        """
        return "" if self.keys is None else self.keys.client_of(headers)

    def _judged(self, response: Response) -> Outcome:
        """Return what an answer of this pod says about its model."""
        excused = response.problem in (DIED, GIVEN_UP, UNREACHABLE) and self.deaths.excuse()
        return Outcome.UNJUDGED if excused or response.problem == "no-room" else outcome_of(response.status)

    async def _unpacked(self, answer: Answer, context: RequestContext) -> Response:
        limit = self.loaded.max_body if self.loaded is not None else self._settings.max_body
        await unpack(context.request, limit, self._budget)
        return await answer(context)

    def _finish(self, context: RequestContext) -> None:
        if (
            context.outcome is Outcome.ERROR
            and context.witness is not None
            and context.witness.said is Outcome.UNJUDGED
        ):
            context.outcome, context.failure = Outcome.UNJUDGED, None
        context.unfinished -= 1
        if not context.unfinished:
            self._observe(context)

    def _deadline(self, request: Request, via: Via) -> float:
        longest = self._settings.timeout
        if via is Via.FALLBACK and (left := client_timeout(request)) is not None:
            longest = min(longest, left)
        return self._after(request, longest)

    def _end(self, context: RequestContext) -> float:
        """Return when the client's own time is over, or else the request's deadline, on the event loop's clock."""
        # That of a pod that asks for help is the deadline itself: what nobody waits for, stable does not go on with.
        timeout = client_timeout(context.request) if context.via is not Via.FALLBACK else None
        return context.deadline if timeout is None else min(context.deadline, self._after(context.request, timeout))

    def _after(self, request: Request, seconds: float) -> float:
        """Return a time after a request, on the event loop's clock."""
        return self._loop.time() + seconds - (time.perf_counter() - request.received)

    def _is_busy(self) -> bool:
        queued = self.predictor.model.batcher.queued_rows if self.predictor is not None else 0
        return queued + self._passing > _FALLBACK_SHARE * self._settings.max_queue

    def _predict(self, context: RequestContext) -> Awaitable[Response]:
        return self.started().answer(context)

    async def _predict_one(self, context: RequestContext) -> Response:
        request = context.request
        try:
            question = self.started().questions.read(request.query)
            if question.is_known_to(request):
                return Response(304, b"", headers=question.headers)
            request.body = question.body  # as which stable is asked, too
            answer = await self._predict(context)
            return answer.with_headers(question.headers)
        except Problem as problem:
            problem.headers = (*problem.headers, NO_STORE)
            raise

    def started(self) -> Predictor:
        """Return what predicts.

        Raises:
            Problem: It is not known yet what the model takes.
        """
        if (predictor := self.predictor) is None:
            raise Problem(503, "starting", f"{self.readiness.reason}; try again shortly.")
        return predictor

    def _infer(self, context: RequestContext) -> Awaitable[Response]:
        return self._pass(self._forward, context)

    async def _forward(self, context: RequestContext) -> Response:
        request, predictor = context.request, self.started()
        if (model := oip_paths.model_of(request)) != self._settings.model:
            raise oip_paths.no_model(model)
        length = request.headers.get(HEADER_LENGTH)
        looked_at = predictor.protocol.effort(request.body, length)
        asked = await aside(looked_at, partial(predictor.protocol.read, request.body, length))
        context.asked, context.passed_instances = asked.tensors, asked.instances
        self.deaths.check(context)
        return await oip_proxy.forward(self._triton, request, context.deadline, asked)

    async def _pass(self, answer: Answer, context: RequestContext) -> Response:
        if not self.started().model.contract.raw:
            raise Problem(
                403,
                "raw-closed",
                "The Open Inference Protocol is disabled: this model's schema.yaml defines inputs and outputs, "
                "for POST /predict.",
            )
        self._passing += 1
        context.demand.sent = time.perf_counter()
        try:
            context.passed = response = await answer(context)
        except Problem as problem:
            if problem.kind == DIED:
                if not self.deaths.note(context):
                    raise unreachable() from problem
            elif problem.kind == GIVEN_UP:
                self.deaths.note_given_up(context)
            raise
        else:
            return response
        finally:
            self._passing -= 1
            context.answered = time.perf_counter()


def _who_answered(response: Response) -> str:
    if response.cached:
        return "cache"
    if MARK in response.headers:
        return "stable"
    return "model" if response.status < 400 else "pod"


def _refused(problem: Problem, _: RequestContext) -> Awaitable[Response]:
    raise problem
