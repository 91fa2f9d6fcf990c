"""The prediction log as the settings have it at the moment: on, off or elsewhere, without a restart.

A record is redacted before it waits, by the rules of that moment, and goes to the receiver of that moment.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric

from viridian_serving.codec.tensors import ModelSchema
from viridian_serving.contract.feature_metadata import FeatureMetadata
from viridian_serving.inference.request_context import RequestContext
from viridian_serving.settings.config import Settings
from viridian_serving.settings.dynamic import LogSettings
from viridian_serving.telemetry.export_queue import BatchExporter, Dropped, Record, Shipments, Sink
from viridian_serving.telemetry.log_secret import LogSecret
from viridian_serving.telemetry.log_sinks import Otlp, Stdout
from viridian_serving.telemetry.prediction_log import PredictionLog, resource_of
from viridian_shared.counts.via import Via
from viridian_shared.prediction_log import RedactAction

LOG = logging.getLogger("viridian.log")

_FAREWELL: Final = 30.0
"""Seconds in which a receiver that is none any more gets what still waits for it."""


class LiveLog:
    """Writes the records of one pod, and has them delivered."""

    def __init__(self, settings: Settings) -> None:
        """Prepare; nothing is written before the settings and the Secret are known.

        Args:
            settings: Of this pod.
        """
        self._pod = settings
        self._settings: LogSettings | None = None
        self._secret: LogSecret | None = None
        self._model: tuple[ModelSchema, FeatureMetadata] | None = None
        self._writer: PredictionLog | None = None
        self._shipper: BatchExporter | None = None
        self._leaving: dict[BatchExporter, asyncio.Task[None]] = {}
        self._shipments = Shipments()

    def begin(self, schema: ModelSchema, metadata: FeatureMetadata) -> None:
        """Start with the model, once it is loaded.

        Args:
            schema: What it takes and gives.
            metadata: What is known about it.
        """
        self._model = (schema, metadata)
        self._renew()

    def apply(self, settings: LogSettings | None) -> None:
        """Apply other settings.

        Args:
            settings: None turns it off.
        """
        if settings == self._settings:
            return
        before, self._settings = self._settings, settings
        if self._shipper is not None and _receiver(before) != _receiver(settings):
            self._leave(self._shipper)
            self._shipper = None
        self._renew()

    def use(self, secret: LogSecret) -> None:
        """Use another Secret. What waits goes to the same receiver, by the new one.

        Args:
            secret: All of it.
        """
        self._secret = secret
        self._renew()

    def write(self, requests: Iterable[RequestContext]) -> None:
        """Queue the records of requests that are over; those of checks are none of the model's use."""
        if self._writer is None or self._shipper is None:
            return
        for context in requests:
            if context.via is not Via.CHECK:
                self._write(context.request_id, partial(self._writer.records, context))

    def write_disagreement(self, context: RequestContext, candidate: str, answer: object) -> None:
        """Queue the record of a mirrored request to which a candidate answered something else."""
        if self._writer is not None:
            self._write(context.request_id, partial(self._writer.disagreement, context, candidate, answer))

    def _write(self, request_id: str, told: Callable[[], Iterable[Record]]) -> None:
        if self._shipper is None:
            return
        try:
            records = list(told())
        except Exception:
            # What one client sent must not cost the others their records.
            LOG.exception("prediction log: there is no record of request %s", request_id)
            self._shipments.dropped[Dropped.UNREADABLE] += 1
            return
        for record in records:
            self._shipper.offer(record)

    async def close(self, longest: float) -> None:
        """Deliver what is left.

        Args:
            longest: Longest wait in seconds.
        """
        await asyncio.gather(*(shipper.end(longest, Dropped.SHUTDOWN) for shipper in self._shippers()))

    def families(self, names: Sequence[str], identity: Sequence[str]) -> Iterator[Metric]:
        """Render its counts.

        Args:
            names: The labels that every series has.
            identity: Their values.
        """
        waiting = sum(shipper.waiting_bytes for shipper in self._shippers())
        yield from self._shipments.families(names, identity, waiting)
        if self._secret is not None and (expiry := self._secret.ca_expiry) is not None:
            text = "When the first certificate expires by which the log's receiver is trusted"
            family = GaugeMetricFamily("viridian_log_certificate_expiry_timestamp_seconds", text, labels=names)
            family.add_metric(identity, expiry)
            yield family

    def _shippers(self) -> list[BatchExporter]:
        return [*self._leaving, *([self._shipper] if self._shipper is not None else ())]

    def _renew(self) -> None:
        settings, secret = self._settings, self._secret
        self._writer = None
        if settings is None or secret is None:
            return
        sink = self._sink(settings, secret)
        if self._shipper is None:
            self._shipper = BatchExporter(sink, settings.queue_size, self._shipments)
            self._shipper.start()
        else:
            self._shipper.change(sink, settings.queue_size)
        if self._model is None:
            return
        rules = {rule.name: rule.action for rule in settings.redact}
        if RedactAction.HASH in rules.values() and not secret.hash_key:
            LOG.warning(
                "prediction log: there is no key to hash by, so what would be hashed is masked; give the Secret "
                "%s-log a hash-key, made by: openssl rand -base64 32",
                self._pod.model,
            )
        self._writer = PredictionLog(self._pod, settings.sample, rules, secret.hash_key, *self._model)

    def _sink(self, settings: LogSettings, secret: LogSecret) -> Sink:
        if settings.endpoint is None:
            return Stdout()
        return Otlp(settings.endpoint, resource_of(self._pod), secret.headers, secret.ca)

    def _leave(self, shipper: BatchExporter) -> None:
        task = asyncio.get_running_loop().create_task(shipper.end(_FAREWELL, Dropped.CHANGED))
        self._leaving[shipper] = task
        task.add_done_callback(lambda _: self._leaving.pop(shipper))


def _receiver(settings: LogSettings | None) -> str | None:
    """Who gets the records; None for nobody."""
    return None if settings is None else settings.endpoint or settings.sink
