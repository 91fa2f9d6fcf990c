"""The prediction log: a JSON record for each prediction, redacted before anybody keeps it."""

import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import msgspec

from viridian_serving.config import Settings
from viridian_serving.http_messages import Request
from viridian_serving.meaning import Meaning, confidence_of
from viridian_serving.metrics import Outcome
from viridian_serving.protocol_bodies import inputs_of, outputs_of
from viridian_serving.redaction import Redactor, Rules
from viridian_serving.schema import ModelSchema
from viridian_serving.seen import Seen
from viridian_serving.shipping import Record

_PREDICT: Final = b"/predict"
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
        self, settings: Settings, sample: float, rules: Rules, key: str, schema: ModelSchema, meaning: Meaning
    ) -> None:
        """Prepare.

        Args:
            settings: Of this pod.
            sample: Share of the requests that are logged.
            rules: What records do not show as it is.
            key: For hashes; may be empty.
            schema: What its model takes and gives.
            meaning: What is known about it.
        """
        self._sample = sample
        self._redactor = Redactor(rules, key, schema, meaning)
        self._identity = {
            "namespace": settings.namespace,
            "model": settings.model,
            "version": settings.model_version,
            "revision": settings.revision,
            "color": settings.color,
            "pod_uid": settings.pod_uid,
        }

    def records(self, seen: Seen) -> Iterator[Record]:
        """Write the records of one request.

        That is one for each instance, and one in all for a body that was not valid or came by the inference protocol.

        What is sampled is decided by the request's id, so that stable, when it helps, writes about the same requests.

        Args:
            seen: The request, which is over.
        """
        if not self._is_sampled(seen.request_id):
            return
        trace_id = seen.trace_id or _given_trace(seen.request)
        common = {
            "time": datetime.fromtimestamp(seen.time_ns / 1e9, UTC).isoformat(timespec="microseconds"),
            "request_id": seen.request_id,
            "trace_id": trace_id,
            **self._identity,
            "via": seen.via,
            "client": seen.client or None,
            "outcome": seen.outcome,
            "answered_by": seen.answered_by,
            "seconds": round(seen.seconds, 6),
        }
        told = self._told(seen) if seen.request.path == _PREDICT else iter((self._passed(seen),))
        for part in told:
            yield Record(seen.time_ns, msgspec.json.encode({**common, **part}), trace_id)

    def _is_sampled(self, request_id: str) -> bool:
        return zlib.crc32(request_id.encode()) < self._sample * 2**32

    def _told(self, seen: Seen) -> Iterator[dict[str, Any]]:
        if not seen.instances:
            # What is not valid may hold anything, under any name.
            yield _part(0)
            return
        document = msgspec.json.decode(seen.request.body)
        items = document if seen.many else [document]
        for position, item in enumerate(items):
            prediction = self._redactor.prediction(seen.predictions[position]) if seen.predictions else None
            confidence = confidence_of(prediction) if prediction is not None else None
            yield _part(position, self._redactor.instance(item), prediction, confidence)

    def _passed(self, seen: Seen) -> dict[str, Any]:
        # Whether a request is valid is Triton's to say; one that it never got was not looked at by anybody.
        if not seen.interest.sent or seen.outcome is Outcome.REJECTED:
            return _part(None)
        inputs, outputs = inputs_of(seen.request), None
        if seen.passed is not None and seen.passed.status == HTTPStatus.OK:
            outputs = outputs_of(seen.request, seen.passed)
        return _part(
            None,
            self._redactor.tensors(inputs) if inputs is not None else None,
            self._redactor.tensors(outputs) if outputs is not None else None,
        )


def _part(
    instance: int | None, inputs: object = None, outputs: dict[str, Any] | None = None, confidence: float | None = None
) -> dict[str, Any]:
    return {"instance": instance, "inputs": inputs, "outputs": outputs, "confidence": confidence}


def _given_trace(request: Request) -> str | None:
    """Give the trace that a client says its request is part of."""
    found = _TRACEPARENT.fullmatch(request.headers.get(b"traceparent", b""))
    return found[1].decode() if found else None
