"""What the pod tells about its predictions, beside the counters that guard a rollout.

None of it is on a request's way. What was seen is put aside, and looked at a moment later, many requests at once.
"""

import asyncio
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from viridian_serving.contract.baseline_file import Baseline
from viridian_serving.contract.contract import Contract
from viridian_serving.contract.feature_metadata import feature_metadata
from viridian_serving.feedback.accuracy import Feedback
from viridian_serving.feedback.counts import FeedbackCounts
from viridian_serving.feedback.token import TokenReader, TokenWriter
from viridian_serving.http1.problems import Problem
from viridian_serving.inference.batcher import Stats
from viridian_serving.inference.request_context import RequestContext
from viridian_serving.metrics.response_counts import ResponseCounts
from viridian_serving.settings.config import Settings
from viridian_serving.settings.dynamic import LogSettings
from viridian_serving.telemetry.client_counts import ClientCounts
from viridian_serving.telemetry.export_queue import in_thread
from viridian_serving.telemetry.failures import FailureCounts
from viridian_serving.telemetry.log_pipeline import LiveLog
from viridian_serving.telemetry.log_secret import LogSecret
from viridian_serving.telemetry.model_metrics import ModelMetrics, rendered
from viridian_serving.telemetry.prediction_log import resource_of
from viridian_serving.telemetry.shadow_counts import ShadowCounts
from viridian_shared.counts.metric_names import IDENTITY, REVISION_INFO

if TYPE_CHECKING:
    from viridian_serving.telemetry.tracing import Tracing

LOG = logging.getLogger("viridian.api")

_MOMENT: Final = 0.1
"""Seconds after which what was seen is looked at, at the latest."""
_MANY: Final = 256
"""Instances that are looked at together: fewer cost more each, and more of them would keep requests waiting."""
_LAST_SPANS: Final = 1.0
"""Seconds that the last spans get, when the prediction log has used up all the time."""
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class Telemetry(Collector):
    """Its parts, and their metrics."""

    def __init__(self, settings: Settings, refusals: Mapping[int, int]) -> None:
        """Wire it up.

        Args:
            settings: Of this pod.
            refusals: Answers by status, to what never became a request.
        """
        self._settings = settings
        self._identity = (settings.namespace, settings.model, settings.revision, settings.pod_uid)
        self.responses = ResponseCounts(refusals)
        self._failures = FailureCounts()
        self.clients = ClientCounts()
        self.shadow = ShadowCounts(settings.latency_buckets)
        self._accuracy = FeedbackCounts(settings.revision)
        self._feedback: Feedback | None = None
        self.tokens: TokenWriter | None = None
        """Signs the predictions of this pod; None without a key."""
        if settings.feedback_key:
            model = (settings.feedback_key, settings.namespace, settings.model)
            self.tokens = TokenWriter(*model, settings.revision)
            reader = TokenReader(*model, settings.feedback_lifetime)
            self._feedback = Feedback(reader, self._accuracy, settings.max_instances, time.time)
        self._tracing = open_tracing(settings, os.environ)
        self.ask_stable = self._tracing.ask_stable if self._tracing is not None else None
        """Begins the trace of a call to stable; None when nobody traces."""
        self._log = LiveLog(settings)
        self._stats = Stats()
        self._observations: ModelMetrics | None = None
        self._aside: list[RequestContext] = []
        self._instances_aside = 0
        self._due: asyncio.TimerHandle | None = None

    def begin(self, contract: Contract, stats: Stats, baseline: Baseline | None = None) -> None:
        """Start with the model, once it is loaded.

        Args:
            contract: What its API takes and gives.
            stats: Of the queue before it.
            baseline: The one that lies beside it, to compare what is served with.
        """
        metadata = feature_metadata(contract)
        self._stats = stats
        self._observations = ModelMetrics(contract, metadata, baseline)
        self._failures.begin(contract)
        self._log.begin(contract.model, metadata)

    def apply(self, settings: LogSettings | None) -> None:
        """Apply settings of the prediction log that changed.

        Args:
            settings: None turns it off.
        """
        self._look()  # what was seen before is logged as it was to be then
        self._log.apply(settings)

    def use(self, secret: LogSecret) -> None:
        """Use the Secret of the prediction log, when it changed.

        Args:
            secret: All of it.
        """
        self._look()
        self._log.use(secret)
        LOG.info("the prediction log's Secret holds %s", secret.holds)

    async def close(self, longest: float) -> None:
        """Deliver what is left.

        Args:
            longest: Longest wait in seconds.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + longest
        self._look()
        await self._log.close(longest)
        if self._tracing is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(in_thread(self._tracing.close), max(_LAST_SPANS, end - loop.time()))

    def observe(self, context: RequestContext) -> None:
        """Put a request aside that is over."""
        were_many = self._instances_aside >= _MANY
        self._aside.append(context)
        self._instances_aside += len(context.predictions)
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(_MOMENT, self._look)
        if self._instances_aside >= _MANY and not were_many:
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        aside, self._aside, self._instances_aside = self._aside, [], 0
        try:
            self._tell(aside)
        except Exception:
            # The page with the counters that guard a rollout must not depend on it.
            LOG.exception("telemetry of %d request(s) was incomplete", len(aside))

    def _tell(self, aside: Sequence[RequestContext]) -> None:
        self._failures.observe(aside)
        self.clients.observe(aside)
        if self._observations is not None:
            self._observations.observe(aside)
        if self._tracing is not None:
            for context in aside:
                self._tracing.finish(context)
        self._log.write(aside)

    def log_disagreement(self, context: RequestContext, candidate: str, answer: object) -> None:
        """Log a mirrored request to which the candidate answered something else.

        Args:
            context: The request, which is over.
            candidate: Whose answer it is, by its revision.
            answer: What it answered, in the form of this pod's own; None where it refused the request.
        """
        self._log.write_disagreement(context, candidate, answer)

    def feedback(self, body: bytes) -> bytes:
        """Answer ``POST /feedback``.

        Args:
            body: The request's.

        Returns:
            The answer's.

        Raises:
            Problem: What the client gets instead.
        """
        if self._feedback is None:
            raise Problem(
                404,
                "no-feedback-key",
                "This pod does not sign predictions, so it cannot accept feedback: create the Secret "
                f"{self._settings.model}-feedback with a member 'key', and restart the pods.",
            )
        return self._feedback.take(body)

    def collect(self) -> Iterator[Metric]:
        """Return every family of metrics, up to this moment."""
        self._look()
        yield from self.responses.families(IDENTITY, self._identity)
        yield from self._failures.families(IDENTITY, self._identity)
        yield from self.clients.families(IDENTITY, self._identity)
        yield from self.shadow.families(IDENTITY, self._identity)
        queue = "Time instances waited for a call to the model"
        yield rendered("viridian_queue_seconds", queue, IDENTITY, {self._identity: self._stats.waits})
        yield rendered(
            "viridian_call_size", "Instances in a joined call", IDENTITY, {self._identity: self._stats.sizes}
        )
        if self._observations is not None:
            yield from self._observations.families(IDENTITY, self._identity)
        yield from self._log.families(IDENTITY, self._identity)
        settings = self._settings
        info = GaugeMetricFamily(REVISION_INFO, "What this revision is", labels=(*IDENTITY, "version", "color"))
        info.add_metric((*self._identity, settings.model_version, settings.color), 1)
        yield info
        yield from self._accuracy.families(settings.namespace, settings.model, settings.pod_uid)


def open_tracing(settings: Settings, environ: Mapping[str, str]) -> "Tracing | None":
    """Start to trace, if OpenTelemetry's standard variables ask for it.

    Args:
        settings: Of this pod.
        environ: The process environment.

    Returns:
        The tracer; None when traces are not asked for, or not as this pod can send them.
    """
    off = (
        environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp"
    )
    if off or not any(environ.get(name) for name in _ENDPOINTS):
        return None
    protocol = next((name for name in _PROTOCOLS if environ.get(name)), None)
    if protocol is not None and environ[protocol] != "http/protobuf":
        LOG.error("no traces: %s is %r; set it to http/protobuf, or remove it", protocol, environ[protocol])
        return None
    from viridian_serving.telemetry.tracing import Tracing  # some 15 MB and a third of a second, for who wants it

    return Tracing(resource_of(settings))
