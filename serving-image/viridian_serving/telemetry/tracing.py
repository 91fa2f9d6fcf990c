"""Traces by OpenTelemetry. Nothing here is imported unless they are asked for.

Spans are made when a request is over, from the times that were noted on its way. Only a request that stable is asked
about gets its spans at once, since they must be named to stable.
"""

from collections.abc import Mapping
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from viridian_serving.http1.messages import Headers
from viridian_serving.inference.request_context import RequestContext
from viridian_serving.metrics.guard_counters import FallbackReason
from viridian_shared.counts.outcome import Outcome

_PROPAGATOR: Final = TraceContextTextMapPropagator()
_CONTEXT: Final = ("traceparent", "tracestate")
_SECOND: Final = 1_000_000_000


class Tracing:
    """The tracer of one pod."""

    def __init__(self, attributes: Mapping[str, str], exporter: SpanExporter | None = None) -> None:
        """Start the thread that exports.

        Args:
            attributes: Of the pod; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over them.
            exporter: Where spans go; by default where OTEL_EXPORTER_OTLP_* says.
        """
        resource = Resource.create(dict(attributes)).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("viridian")

    def ask_stable(self, context: RequestContext, reason: FallbackReason) -> "AskedStable":
        """Begin the span of a call to stable.

        Args:
            context: The request that stable is asked about.
            reason: Why.

        Returns:
            The span, to be ended by the caller.
        """
        parent = set_span_in_context(self._span_of(context))
        attributes = {"viridian.reason": reason.value}
        return AskedStable(self._tracer.start_span("fallback", parent, SpanKind.CLIENT, attributes))

    def finish(self, context: RequestContext) -> None:
        """Make the spans of a request that is over, and note the trace it belongs to."""
        span = self._span_of(context)
        context.trace_id = f"{span.get_span_context().trace_id:032x}"
        if not span.is_recording():
            return
        self._child(context, span, "queue", context.queued, context.demand.sent or context.answered)
        self._child(context, span, "triton", context.demand.sent, context.answered, SpanKind.CLIENT)
        span.set_attributes(
            {
                "http.response.status_code": context.status,
                "viridian.outcome": context.outcome or "",
                "viridian.answered_by": context.answered_by or "nobody",
                "viridian.instances": sum(part.rows for part in context.instances),
            }
        )
        if context.outcome is Outcome.ERROR:
            span.set_status(StatusCode.ERROR)
        span.end(context.time_ns + round(context.seconds * _SECOND))

    def close(self) -> None:
        """Export what is left; may block."""
        self._provider.shutdown()

    def _span_of(self, context: RequestContext) -> Span:
        if context.span is None:
            request = context.request
            headers = request.headers
            carrier = {name: headers[name.encode()].decode("latin-1") for name in _CONTEXT if name.encode() in headers}
            path, method = request.path.decode("latin-1"), request.method.decode("latin-1")
            context.span = self._tracer.start_span(
                f"{method} {path}",
                _PROPAGATOR.extract(carrier),
                SpanKind.SERVER,
                {
                    "http.request.method": method,
                    "url.path": path,
                    "viridian.request_id": context.request_id,
                    "viridian.via": context.via.value,
                },
                start_time=context.time_ns,
            )
        return context.span

    def _child(
        self,
        context: RequestContext,
        parent: Span,
        name: str,
        begin: float,
        end: float,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> None:
        if begin and end:
            base = context.time_ns - round(context.request.received * _SECOND)
            child = self._tracer.start_span(
                name, set_span_in_context(parent), kind, start_time=base + round(begin * _SECOND)
            )
            child.end(base + round(end * _SECOND))


class AskedStable:
    """The span of a call to stable."""

    def __init__(self, span: Span) -> None:
        """Take the span, which has begun."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, set_span_in_context(span))
        self.headers: Headers = tuple((name.encode(), value.encode()) for name, value in carrier.items())
        self._span = span

    def end(self) -> None:
        """End it."""
        self._span.end()
