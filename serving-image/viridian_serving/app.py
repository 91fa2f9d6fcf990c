"""Routes, outcomes and what every answer carries."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Final

from viridian_serving import passthrough
from viridian_serving.config import Settings
from viridian_serving.exposition import CONTENT_TYPE, LiveGauges, build_registry, render
from viridian_serving.http_server import Headers, HttpServer, Request, Response
from viridian_serving.metrics import FrozenCounters, Outcome, Via, outcome_of
from viridian_serving.predict import Predictor
from viridian_serving.problems import CONTENT_TYPE as PROBLEM
from viridian_serving.problems import Problem
from viridian_serving.readiness import Readiness, health
from viridian_serving.triton_http import TritonHttp, TritonUnreachableError

LOG = logging.getLogger("viridian.api")

_VIA_BY_HEADER: Final = {via.value.encode(): via for via in Via}
_PROBE_TIMEOUT: Final = 2.0
_MAX_REQUEST_ID: Final = 128


class Trust(Enum):
    """What a listener believes of the header ``Viridian-Via``, by who can reach it."""

    ROUTE = "route"
    """The color's Service: the gateway sets the header on every request."""
    FALLBACK_ONLY = "fallback"
    """The Service of stable: anybody in the cluster; only another pod's plea for help is told apart."""

    def via(self, request: Request) -> Via:
        """Tell how a request came."""
        claimed = _VIA_BY_HEADER.get(request.headers.get(b"viridian-via", b""), Via.DIRECT)
        if self is Trust.FALLBACK_ONLY and claimed is not Via.FALLBACK:
            return Via.DIRECT
        return claimed


class _Caller:
    """The client of one counted request, who may leave before it is answered.

    A client that has left sees no answer, so its request is never ok. If there was no answer within
    VIRIDIAN_ABANDONED_AFTER, the model has cost the client its patience: an error, counted then and not at the
    timeout, and the work is given up. Else a model that hangs would look the healthier the shorter its clients'
    timeouts are. If the answer came sooner, leaving says nothing about the model, and the request is not judged.
    """

    def __init__(self, request: Request, patience: float) -> None:
        self.gone = False
        self._request = request
        self._patience = patience
        self._task = asyncio.current_task()
        request.on_gone = self._left

    def _left(self) -> None:
        self.gone = True
        remaining = self._patience - (time.perf_counter() - self._request.received)
        if remaining > 0:
            asyncio.get_running_loop().call_later(remaining, self._give_up)
        else:
            self._give_up()

    def _give_up(self) -> None:
        if self._task is not None:
            self._task.cancel()  # does nothing once the request is answered


class App:
    """The prediction API without its listeners."""

    def __init__(self, settings: Settings, triton: TritonHttp, server: HttpServer) -> None:
        """Wire it up.

        Args:
            settings: Of this pod.
            triton: The way to Triton.
            server: For the number of requests that run.
        """
        self._settings = settings
        self._triton = triton
        self._server = server
        self.readiness = Readiness()
        self.predictor: Predictor | None = None
        self.identity = {
            "model": settings.model,
            "version": settings.model_version,
            "revision": settings.revision,
        }
        self.counters = FrozenCounters(settings.latency_buckets, settings.scrape_interval, time.time_ns())
        labels = (settings.namespace, settings.model, settings.revision, settings.pod_uid)
        self._registry = build_registry(self.counters, labels, LiveGauges(self._live))
        self._headers = identity_headers(settings)
        self._plain = {
            b"/health": self._health,
            b"/live": self._live_probe,
            b"/ready": self._ready,
        }
        self._operations = {
            b"/metrics": self._metrics,
            b"/live": self._live_probe,
            b"/ready": self._ready,
            b"/triton/ready": self._triton_ready,
        }

    # -- listeners

    def public(self, trust: Trust) -> Callable[[Request], Awaitable[Response]]:
        """Give the handler of a listener for predictions.

        Args:
            trust: What it believes.
        """

        async def handle(request: Request) -> Response:
            if request.path == b"/predict" and request.method == b"POST":
                return await self._counted(request, trust.via(request), self._predict)
            if passthrough.is_inference(request):
                return await self._counted(request, trust.via(request), self._infer)
            return await self._uncounted(request, self._route_public)

        return handle

    async def operations(self, request: Request) -> Response:
        """Answer on the metrics port."""
        return await self._uncounted(request, self._route_operations)

    # -- counting

    async def _counted(
        self, request: Request, via: Via, answer: Callable[[Request, str], Awaitable[Response]]
    ) -> Response:
        caller = _Caller(request, self._settings.abandoned_after)
        try:
            response = await self._uncounted(request, answer)
        except BaseException:
            # Given up: how long it would have taken is not known, and it must not pass for fast.
            self.counters.record(via, Outcome.ERROR, self._settings.timeout, time.time_ns())
            raise
        outcome = outcome_of(response.status)
        if caller.gone and outcome is Outcome.OK:
            outcome = Outcome.REJECTED
        self.counters.record(via, outcome, time.perf_counter() - request.received, time.time_ns())
        return response

    async def _uncounted(self, request: Request, answer: Callable[[Request, str], Awaitable[Response]]) -> Response:
        request_id = _request_id(request)
        common = ((b"X-Request-Id", request_id.encode()), *self._headers)
        try:
            response = await answer(request, request_id)
        except Problem as given:
            problem = given
        except Exception:
            LOG.exception("request %s crashed", request_id)
            problem = Problem(500, "internal", "The server failed; its log says why, by request_id.")
        else:
            return Response(response.status, response.body, response.content_type, (*response.headers, *common))
        return Response(problem.status, problem.body(request_id), PROBLEM, (*problem.headers, *common))

    # -- predictions

    def _deadline(self, request: Request) -> float:
        waited = time.perf_counter() - request.received
        return asyncio.get_running_loop().time() + self._settings.timeout - waited

    async def _predict(self, request: Request, request_id: str) -> Response:
        if self.predictor is None:
            raise Problem(503, "starting", f"{self.readiness.reason}; try again shortly.")
        return Response(200, await self.predictor.answer(request.body, self._deadline(request), request_id))

    async def _infer(self, request: Request, _: str) -> Response:
        return await passthrough.forward(self._triton, request, self._deadline(request))

    async def _route_public(self, request: Request, request_id: str) -> Response:
        if passthrough.is_allowed(request):
            return await passthrough.forward(self._triton, request, self._deadline(request))
        if request.path == b"/predict":
            raise Problem(405, "method", "Predictions are asked for with POST.", headers=((b"Allow", b"POST"),))
        return await self._dispatch(self._plain, request, request_id)

    # -- everything else

    async def _route_operations(self, request: Request, request_id: str) -> Response:
        return await self._dispatch(self._operations, request, request_id)

    async def _dispatch(
        self, routes: Mapping[bytes, Callable[[], Awaitable[Response]]], request: Request, _: str
    ) -> Response:
        route = routes.get(request.path)
        if route is None:
            path = request.path.decode("latin-1")
            raise Problem(404, "not-found", f"There is no {path} here; predictions are at POST /predict.")
        if request.method not in (b"GET", b"HEAD"):
            raise Problem(405, "method", "This is read with GET.", headers=((b"Allow", b"GET, HEAD"),))
        return await route()

    async def _health(self) -> Response:
        schema = self.predictor.model.schema if self.predictor is not None else None
        status = "ok" if self.readiness.ready else "stopping" if self._server.closing else "starting"
        return Response(200 if self.readiness.ready else 503, health(status, self.identity, schema))

    async def _live_probe(self) -> Response:
        return Response(200, b"alive\n", b"text/plain")

    async def _ready(self) -> Response:
        if self.readiness.ready:
            return Response(200, b"ready\n", b"text/plain")
        raise Problem(503, "not-ready", f"Not ready: {self.readiness.reason}.")

    async def _triton_ready(self) -> Response:
        deadline = asyncio.get_running_loop().time() + _PROBE_TIMEOUT
        path = f"/v2/models/{self._settings.model}/ready"
        try:
            reply = await self._triton.call("GET", path, deadline=deadline)
        except (TritonUnreachableError, TimeoutError) as error:
            raise Problem(503, "not-ready", f"Triton does not answer: {error}.") from error
        if reply.status != 200:
            raise Problem(503, "not-ready", "Triton has not loaded the model yet.")
        return Response(200, b"ready\n", b"text/plain")

    async def _metrics(self) -> Response:
        return Response(200, render(self._registry), CONTENT_TYPE.encode())

    def _live(self) -> dict[str, tuple[str, float]]:
        joiner = self.predictor.model.joiner if self.predictor is not None else None
        return {
            "viridian_ready": ("Whether the pod takes traffic", float(self.readiness.ready)),
            "viridian_requests_in_flight": ("Requests that run", float(self._server.in_flight)),
            "viridian_queue_instances": ("Instances that wait for a call", joiner.queued_rows if joiner else 0.0),
            "viridian_calls_total": ("Joined calls to Triton", joiner.stats.calls if joiner else 0.0),
            "viridian_call_instances_total": ("Instances in joined calls", joiner.stats.rows if joiner else 0.0),
            "viridian_reruns_total": (
                "Requests run again by themselves after a joined call failed",
                joiner.stats.reruns if joiner else 0.0,
            ),
        }


def identity_headers(settings: Settings) -> Headers:
    """Give the headers that every answer carries: what answered it."""
    return (
        (b"Viridian-Revision", settings.revision.encode()),
        (b"Viridian-Version", settings.model_version.encode()),
    )


def _request_id(request: Request) -> str:
    given = request.headers.get(b"x-request-id", b"")
    # What goes into a header, a log line and JSON must be harmless there.
    if given and len(given) <= _MAX_REQUEST_ID and given.isascii() and given.decode("ascii").isprintable():
        return given.decode("ascii")
    return os.urandom(16).hex()
