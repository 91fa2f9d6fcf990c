"""Routes: what is answered on which port."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from viridian_serving.api import oip_proxy
from viridian_serving.api.api_keys import KeyRing
from viridian_serving.api.content_coding import unpack
from viridian_serving.api.cors import Cors, is_preflight
from viridian_serving.api.fallback import KEEP
from viridian_serving.api.pipeline import Inferences, Trust
from viridian_serving.api.responses import complete, identity_headers
from viridian_serving.api.shadow import Mirror
from viridian_serving.api.stable import StableView
from viridian_serving.artifacts.golden_file import GOLDEN_FILE, GOLDEN_PATH, read_golden_file
from viridian_serving.codec import oip_paths
from viridian_serving.contract.compatibility import OFF, Coverage, Interface
from viridian_serving.contract.contract import Contract
from viridian_serving.contract.documents import PATHS, documents
from viridian_serving.http1.client import HttpClient, PeerUnreachableError
from viridian_serving.http1.messages import Request, Response
from viridian_serving.http1.problems import Problem
from viridian_serving.http1.request_ids import request_id_of
from viridian_serving.http1.server import HttpServer
from viridian_serving.inference.cache import AnswerCache, CacheStats
from viridian_serving.inference.loaded_model import LoadedModel
from viridian_serving.inference.readiness import health
from viridian_serving.inference.request_context import RequestContext
from viridian_serving.metrics.guard_counters import FrozenCounters
from viridian_serving.metrics.response_counts import Route
from viridian_serving.settings.config import Settings
from viridian_serving.settings.dynamic import LiveSettings
from viridian_serving.telemetry.disk_gauges import DiskGauges, folders
from viridian_serving.telemetry.exposition import CONTENT_TYPE, FallbackGauge, LiveGauges, build_registry, render
from viridian_serving.telemetry.objective_gauges import ObjectiveGauges
from viridian_serving.telemetry.telemetry import Telemetry
from viridian_shared.counts.via import Via
from viridian_shared.pod import probes

LOG = logging.getLogger("viridian.api")

_PROBE_TIMEOUT: Final = 2.0
_LAST_NAME: Final = re.compile(rb"(?:/[A-Za-z0-9._~-]+)*/([A-Za-z0-9._~-]+)")
"""A path that does not end with a slash, so that what is relative to it replaces its last name."""
_OPEN: Final = frozenset(
    {b"/", b"/health", probes.LIVE.encode(), probes.READY.encode(), b"/v2/health/live", b"/v2/health/ready", *PATHS},
)
"""What is read without an API key: probes, and what describes the API."""
_GOLDEN: Final = GOLDEN_PATH.encode()
_ROUTES: Final = {b"/predict": Route.PREDICT, b"/feedback": Route.FEEDBACK}


class App:
    """The prediction API without its listeners."""

    def __init__(self, settings: Settings, triton: HttpClient, server: HttpServer) -> None:
        """Wire it up.

        Args:
            settings: Of this pod.
            triton: The way to Triton.
            server: For the number of requests that run.
        """
        self._settings = settings
        self._triton = triton
        self._server = server
        self.identity = {
            "model": settings.model,
            "version": settings.model_version,
            "revision": settings.revision,
        }
        # What a pod says of itself: one that fails on purpose does not hide it.
        self._told = self.identity | ({"drill": settings.drill.value} if settings.drill is not None else {})
        self.counters = FrozenCounters(settings.latency_buckets, settings.scrape_interval, time.time_ns())
        labels = (settings.namespace, settings.model, settings.revision, settings.pod_uid)
        self.telemetry = Telemetry(settings, server.refusals)
        self.stable = StableView(settings.revision) if settings.stable is not None else None
        """What is known of the stable revision; None where nobody is to be asked."""
        objectives = ObjectiveGauges(labels, settings.latency_buckets, lambda: self._live_settings.objectives)
        disks = DiskGauges(labels, folders(settings))
        others = (FallbackGauge(labels, self._covered), objectives, LiveGauges(self._live), disks, self.telemetry)
        self._registry = build_registry(self.counters, labels, others)
        self._headers = identity_headers(settings)
        self.mirror: Mirror | None = None
        """Sends copies to the candidate while the route says so; None where there is no other color."""
        if settings.other_color is not None:
            client = HttpClient(*settings.other_color, "the candidate", keep=KEEP)
            shadow, log = self.telemetry.shadow, self.telemetry.log_disagreement
            self.mirror = Mirror(client, settings.revision, settings.timeout, shadow, log)
        self.inferences = Inferences(settings, triton, self.counters, self._headers, self._observe, server.budget)
        self.readiness = self.inferences.readiness
        self._cors = Cors(settings.cors_origins) if settings.cors_origins else None
        self._live_settings = LiveSettings()
        self.documents: Mapping[bytes, Response] = {}
        self._plain: dict[bytes, Callable[[], Awaitable[Response]]] = {
            b"/health": self._health,
            probes.LIVE.encode(): self._live_probe,
            probes.READY.encode(): self._ready,
            **{path: partial(self._document, path) for path in PATHS},
        }
        self._operations = {
            b"/metrics": self._metrics,
            probes.LIVE.encode(): self._live_probe,
            probes.READY.encode(): self._ready,
            probes.TRITON_READY.encode(): self._triton_ready,
            probes.TRITON_LIVE.encode(): self._triton_live,
        }

    def apply(self, settings: LiveSettings) -> None:
        """Apply settings that changed while the pod runs; what was kept by others is forgotten.

        Args:
            settings: All of them.
        """
        self.inferences.limits.apply(settings.rate_limit)
        self.telemetry.apply(settings.log)
        self._live_settings = settings
        if self.inferences.predictor is not None:
            self.inferences.predictor.cache = cache_of(settings)
        LOG.info("settings: %s", settings.model_dump_json(by_alias=True, exclude_none=True))

    def _observe(self, context: RequestContext) -> None:
        """Take in a request that is over."""
        self.telemetry.observe(context)
        if self.mirror is not None:
            self.mirror.offer(context)

    def use_keys(self, keys: KeyRing) -> None:
        """Use the keys of clients that are valid from now on."""
        self.inferences.keys = keys
        self.telemetry.clients.keep(keys.clients)
        LOG.info("API keys: %d of %s", len(keys.keys), ", ".join(keys.clients) or "nobody, so every request is refused")

    def load(self, loaded: LoadedModel) -> None:
        """Answer for a model from now on.

        Args:
            loaded: The model.
        """
        contract = loaded.contract
        loaded.predictor.cache = cache_of(self._live_settings)
        self._server.max_body = loaded.max_body
        if contract.raw:
            self._server.advice += f", or tensors in binary to /v2/models/{self._settings.model}/infer"
        self.describe(contract)
        self.inferences.loaded = loaded
        if self.stable is not None:
            self.stable.begin(Interface.of(contract))
        self.telemetry.begin(contract, loaded.predictor.model.batcher.stats, loaded.baseline)

    def describe(self, contract: Contract) -> None:
        """Write what this pod says of itself.

        Args:
            contract: What is taken and given.
        """
        limits = {"max_instances": self._settings.max_instances, "max_body": self._server.max_body}
        self.documents = documents(contract, self.identity, keyed=self.inferences.keys is not None, **limits)

    # -- listeners

    def public(self, trust: Trust) -> Callable[[Request], Awaitable[Response]]:
        """Return the handler of a listener for predictions.

        Args:
            trust: What it believes.
        """

        async def handle(request: Request) -> Response:
            if self._cors is None:
                return await answered(request)
            preflight = self._cors.preflight(request)
            return preflight or self._cors.allowing(request, await answered(request))

        async def answered(request: Request) -> Response:
            answer = self.inferences.find(request)
            if answer is not None:
                response = await self.inferences.answer(request, trust, answer)
            else:
                response = await self._complete(request, partial(self._route_public, trust))
            self.telemetry.responses.count(_route(request), response.status)
            return response

        return handle

    async def operations(self, request: Request) -> Response:
        """Answer on the metrics port."""
        return await self._complete(request, partial(self._dispatch, self._operations))

    def _complete(self, request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Awaitable[Response]:
        return complete(answer, request, request_id_of(request.headers), self._headers)

    # -- routes

    async def _route_public(self, trust: Trust, request: Request) -> Response:
        if request.path not in _OPEN:
            self.inferences.admit(request.headers)
        if oip_paths.is_allowed(request):
            deadline = asyncio.get_running_loop().time() + self._settings.timeout
            return await oip_proxy.forward(self._triton, request, deadline)
        if request.path == b"/" and request.method in (b"GET", b"HEAD"):
            return Response(302, b"/docs describes this API.\n", b"text/plain", ((b"Location", _docs_of(request)),))
        if is_preflight(request):
            raise Problem(
                405, "method", "Pages of other origins may ask where VIRIDIAN_CORS_ORIGINS names their origin."
            )
        if request.path == b"/predict":
            allowed = (b"Allow", b"GET, HEAD, POST")
            raise Problem(405, "method", "Ask for predictions with POST or GET.", headers=(allowed,))
        if request.path == b"/feedback":
            if request.method != b"POST":
                raise Problem(405, "method", "Send feedback with POST.", headers=((b"Allow", b"POST"),))
            await unpack(request, self._settings.max_body, self._server.budget)
            return Response(200, self.telemetry.feedback(request.body))
        if request.path == _GOLDEN and trust.via(request) is Via.CHECK:
            return await self._dispatch({_GOLDEN: self._golden}, request)
        return await self._dispatch(self._plain, request)

    async def _dispatch(self, routes: Mapping[bytes, Callable[[], Awaitable[Response]]], request: Request) -> Response:
        route = routes.get(request.path)
        if route is None:
            path = request.path.decode("latin-1")
            raise Problem(404, "not-found", f"There is no {path} here; predictions are at POST /predict.")
        if request.method not in (b"GET", b"HEAD"):
            raise Problem(405, "method", "Read this with GET.", headers=((b"Allow", b"GET, HEAD"),))
        return await route()

    async def _health(self) -> Response:
        loaded = self.inferences.loaded
        contract, tuning = (loaded.contract, loaded.predictor.model.tuning()) if loaded is not None else (None, None)
        body = health(self.readiness.status, self._told, contract, self._covered(), tuning)
        return Response(200 if self.readiness.ready else 503, body)

    def _covered(self) -> Coverage:
        """What stable can answer instead of this pod."""
        return OFF if self.stable is None else self.stable.coverage(asyncio.get_running_loop().time())

    async def _document(self, path: bytes) -> Response:
        self.inferences.started()
        return self.documents[path]

    async def _golden(self) -> Response:
        """Show the golden requests to a check of another version: rows of training data are nobody else's to read."""
        loaded = self.inferences.loaded
        content = None
        if loaded is not None and loaded.home is not None:
            content = await asyncio.to_thread(read_golden_file, loaded.home)
        if content is None:
            raise Problem(404, "not-found", f"There is no {GOLDEN_FILE} beside this model that can be shown.")
        return Response(200, content, b"application/jsonl")

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
        except (PeerUnreachableError, TimeoutError) as error:
            raise Problem(503, "not-ready", f"Triton does not answer: {error}.") from error
        if reply.status != 200:
            raise Problem(503, "not-ready", "Triton has not loaded the model yet.")
        return Response(200, b"ready\n", b"text/plain")

    async def _triton_live(self) -> Response:
        # A Triton whose model has died does not recover by itself. While stable answers for it, a
        # restart would help nobody: the pod would be away for as long as it takes.
        if self.readiness.status == "failing" and not self.readiness.ready:
            raise Problem(503, "not-live", f"Triton must be started again: {self.readiness.reason}.")
        return Response(200, b"alive\n", b"text/plain")

    async def _metrics(self) -> Response:
        return Response(200, render(self._registry), CONTENT_TYPE.encode())

    def _cache_and_limits(self) -> dict[str, tuple[str, float]]:
        predictor = self.inferences.predictor
        stats = predictor.cache_stats if predictor is not None else CacheStats()
        kept = len(predictor.cache) if predictor is not None and predictor.cache is not None else 0
        return {
            "viridian_cache_hits_total": ("Requests answered from the cache", stats.hits),
            "viridian_cache_shared_total": (
                "Requests answered by a concurrent request's answer to the same input",
                stats.shared,
            ),
            "viridian_cache_misses_total": ("Requests that the cache did not answer", stats.misses),
            "viridian_cache_stale_total": ("Stale answers served instead of an error", stats.stale),
            "viridian_cache_entries": ("Answers in the cache", kept),
            "viridian_rate_limited_total": ("Requests refused by the rate limit", self.inferences.limits.refused),
        }

    def _live(self) -> dict[str, tuple[str, float]]:
        predictor = self.inferences.predictor
        batcher = predictor.model.batcher if predictor is not None else None
        return {
            "viridian_ready": ("Whether the pod accepts traffic", float(self.readiness.ready)),
            "viridian_model_failing": (
                "Whether the model has stopped answering trial inputs",
                float(self.readiness.status == "failing"),
            ),
            "viridian_requests_in_flight": (
                "Requests that run",
                float(self._server.in_flight + self.inferences.direct_in_flight),
            ),
            "viridian_queue_instances": ("Instances that wait for a call", batcher.queued_rows if batcher else 0.0),
            "viridian_calls_total": ("Joined calls to Triton", batcher.stats.calls if batcher else 0.0),
            "viridian_call_instances_total": ("Instances in joined calls", batcher.stats.rows if batcher else 0.0),
            "viridian_body_bytes": ("Bytes of requests' bodies that are held", float(self._server.budget.used)),
            "viridian_model_deaths_total": (
                "Times that Triton, or the model's process, ended while requests ran",
                float(self.inferences.deaths.number),
            ),
            "viridian_suspect_inputs": (
                "Inputs that caused this and are refused for a while",
                float(len(self.inferences.deaths)),
            ),
            "viridian_refused_inputs_total": (
                "Requests refused because of such an input",
                float(self.inferences.deaths.refused),
            ),
            **self._cache_and_limits(),
            "viridian_reruns_total": (
                "Requests run again one by one after a joined call failed",
                batcher.stats.reruns if batcher else 0.0,
            ),
        }


def _docs_of(request: Request) -> bytes:
    """Where the page is, relative to how the client named this one: a gateway cuts the model's own path off."""
    original = _LAST_NAME.fullmatch(request.headers.get(b"x-envoy-original-path", b""))
    return b"./docs" if original is None else b"./%s/docs" % original[1]


def _route(request: Request) -> Route:
    if request.path in _ROUTES:
        return _ROUTES[request.path]
    return Route.INFER if oip_paths.is_inference(request) else Route.OTHER


def cache_of(settings: LiveSettings) -> AnswerCache | None:
    """Make an empty cache as the settings have it, if they have one."""
    cache = settings.cache
    return None if cache is None else AnswerCache(cache.ttl, cache.stale_if_error, cache.max_size)
