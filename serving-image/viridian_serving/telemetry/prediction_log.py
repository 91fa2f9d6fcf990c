"""The prediction log: a JSON record for each prediction, redacted before anybody keeps it."""

import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import msgspec

from viridian_serving.codec.oip_payloads import inputs_of, outputs_of
from viridian_serving.codec.tensors import ModelSchema
from viridian_serving.contract.feature_metadata import FeatureMetadata, confidence_of
from viridian_serving.http1.messages import Request
from viridian_serving.inference.request_context import RequestContext
from viridian_serving.settings.config import Settings
from viridian_serving.telemetry.export_queue import Record
from viridian_serving.telemetry.redaction import Redactor, Rules
from viridian_shared.counts.outcome import Outcome

_PREDICT: Final = b"/predict"
_PREDICTED: Final = ("prediction", "confidence", "probabilities", "outputs")
"""Members of an answer that are a prediction's."""
_TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


def resource_of(settings: Settings) -> dict[str, str]:
    """Describe the pod by OpenTelemetry's names."""
    return {
        "service.name": settings.model,
        "service.namespace": settings.namespace,
        "service.version": settings.model_version,
        "service.instance.id": settings.pod_uid,
        "viridian.revision": settings.revision,
        "viridian.color": settings.color,
    }


class PredictionLog:
    """Writes the records of one pod."""

    def __init__(
        self, settings: Settings, sample: float, rules: Rules, key: str, schema: ModelSchema, metadata: FeatureMetadata
    ) -> None:
        """Prepare.

        Args:
            settings: Of this pod.
            sample: Share of the requests that are logged.
            rules: What records do not show as it is.
            key: For hashes; may be empty.
            schema: What its model takes and gives.
            metadata: What is known about it.
        """
        self._sample = sample
        self._redactor = Redactor(rules, key, schema, metadata)
        self._identity = {
            "namespace": settings.namespace,
            "model": settings.model,
            "version": settings.model_version,
            "revision": settings.revision,
            "color": settings.color,
            "pod_uid": settings.pod_uid,
        }

    def records(self, context: RequestContext) -> Iterator[Record]:
        """Write the records of one request.

        That is one for each instance, and one in all for a body that was not valid or came by the inference protocol.

        What is sampled is decided by the request's id, so that stable, when it helps, writes about the same requests.

        Args:
            context: The request, which is over.
        """
        if self._is_sampled(context.request_id):
            yield from self._records(context, {})

    def disagreement(self, context: RequestContext, candidate: str, answer: object) -> Iterator[Record]:
        """Write the records of a mirrored request to which a candidate answered something else, sampled or not.

        Args:
            context: The request, which is over.
            candidate: The candidate's revision.
            answer: The predictions or tensors that it gave, in the form of this pod's own; None where it refused.
        """
        yield from self._records(context, {"candidate": candidate}, answer)

    def _records(self, context: RequestContext, shadow: dict[str, Any], answer: object = None) -> Iterator[Record]:
        trace_id = context.trace_id or _given_trace(context.request)
        common = {
            "time": datetime.fromtimestamp(context.time_ns / 1e9, UTC).isoformat(timespec="microseconds"),
            "request_id": context.request_id,
            "trace_id": trace_id,
            **self._identity,
            "via": context.via,
            "client": context.client or None,
            "outcome": context.outcome,
            "answered_by": context.answered_by,
            "seconds": round(context.seconds, 6),
        }
        told = self._told(context) if context.request.path == _PREDICT else iter((self._passed(context),))
        for part in told:
            other = {"shadow": {**shadow, "outputs": self._other(part["instance"], answer)}} if shadow else {}
            yield Record(context.time_ns, msgspec.json.encode({**common, **part, **other}), trace_id)

    def _other(self, instance: int | None, answer: object) -> dict[str, Any] | None:
        """What another revision answered, redacted as this one's own."""
        if isinstance(answer, dict):
            return self._redactor.tensors(answer)
        if instance is None or not isinstance(answer, list) or instance >= len(answer):
            return None
        given = answer[instance]
        return self._redactor.prediction(_predicted(given)) if isinstance(given, dict) else None

    def _is_sampled(self, request_id: str) -> bool:
        return zlib.crc32(request_id.encode()) < self._sample * 2**32

    def _told(self, context: RequestContext) -> Iterator[dict[str, Any]]:
        if not context.instances:
            # What is not valid may hold anything, under any name.
            yield _part(0)
            return
        document = msgspec.json.decode(context.request.body)
        items = document if context.many else [document]
        for position, item in enumerate(items):
            prediction = self._redactor.prediction(context.predictions[position]) if context.predictions else None
            confidence = confidence_of(prediction) if prediction is not None else None
            yield _part(position, self._redactor.instance(item), prediction, confidence)

    def _passed(self, context: RequestContext) -> dict[str, Any]:
        # Whether a request is valid is Triton's to say; one that it never got was not looked at by anybody.
        if not context.demand.sent or context.outcome is Outcome.REJECTED:
            return _part(None)
        inputs, outputs = inputs_of(context.request), None
        if context.passed is not None and context.passed.status == HTTPStatus.OK:
            outputs = outputs_of(context.request, context.passed)
        return _part(
            None,
            self._redactor.tensors(inputs) if inputs is not None else None,
            self._redactor.tensors(outputs) if outputs is not None else None,
        )


def _predicted(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what it says of its request."""
    return {name: answer[name] for name in _PREDICTED if name in answer}


def _part(
    instance: int | None, inputs: object = None, outputs: dict[str, Any] | None = None, confidence: float | None = None
) -> dict[str, Any]:
    return {"instance": instance, "inputs": inputs, "outputs": outputs, "confidence": confidence}


def _given_trace(request: Request) -> str | None:
    """Return the trace that a client says its request is part of."""
    found = _TRACEPARENT.fullmatch(request.headers.get(b"traceparent", b""))
    return found[1].decode() if found else None
