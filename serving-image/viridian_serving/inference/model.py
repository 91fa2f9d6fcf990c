"""The model behind Triton, as the API sees it: its schema, and predictions for instances."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from viridian_serving.codec.answers import AnswerWriter, NotFiniteError, Prediction
from viridian_serving.codec.oip import (
    HEADER_LENGTH,
    Encoded,
    RequestEncoder,
    ResponseDecoder,
    error_message,
    has_lost_process,
)
from viridian_serving.codec.tensors import ModelSchema
from viridian_serving.contract.contract import Contract
from viridian_serving.http1.client import HttpClient, PeerLostError, PeerUnreachableError, Reply, ResendError
from viridian_serving.inference.batcher import CallFailedError, Demand, DynamicBatcher, Job, NotSentError

LOG = logging.getLogger("viridian.api")

InstanceJob = Job[Encoded, list[Prediction]]


class UnreachableError(CallFailedError):
    """Triton is not there."""


class DiedError(CallFailedError):
    """Triton ended while it worked on these instances."""

    again = False


class GivenUpError(DiedError):
    """Triton gave up the process that runs the model while that worked on these instances."""


NOT_FINITE: Final = "is not a finite number"
"""What a model failed with whose answer held NaN or an infinite number; the end of the error's text."""


class ModelFailedError(CallFailedError):
    """The model failed on these instances."""


class BadAnswerError(CallFailedError):
    """Triton answered something that cannot be used."""


async def fetch_schema(triton: HttpClient, model: str, deadline: float) -> ModelSchema | None:
    """Ask Triton what the model takes and gives.

    Args:
        triton: The way to Triton.
        model: The model's name there.
        deadline: On the event loop's clock, in seconds.

    Returns:
        The schema, or None when the model is not loaded yet.

    Raises:
        SchemaError: The model cannot be served.
    """
    try:
        ready = await triton.call("GET", f"/v2/models/{model}/ready", deadline=deadline)
        if ready.status != 200:
            return None
        reply = await triton.call("GET", f"/v2/models/{model}/config", deadline=deadline)
    except (PeerUnreachableError, TimeoutError):
        return None
    if reply.status != 200:
        return None
    return ModelSchema.from_triton(msgspec.json.decode(reply.body))


class Model:
    """Predicts, joining whatever is asked at the same time."""

    def __init__(
        self, triton: HttpClient, name: str, contract: Contract, *, calls_in_flight: int, max_queue: int
    ) -> None:
        """Prepare.

        Args:
            triton: The way to Triton.
            name: The model's name there.
            contract: What it takes and gives.
            calls_in_flight: Calls at the same time.
            max_queue: Instances that may wait.
        """
        self.contract = contract
        self.schema = schema = contract.model
        self._triton = triton
        head = triton.head("POST", f"/v2/models/{name}/infer") + b"Content-Type: application/octet-stream\r\n"
        self._encoder = RequestEncoder(schema, head)
        self._decoder = ResponseDecoder()
        self._writer = AnswerWriter(contract.answers)
        self.batcher: DynamicBatcher[Encoded, list[Prediction]] = DynamicBatcher(
            self._call,
            calls_in_flight=calls_in_flight,
            max_rows=max(1, schema.max_batch),
            max_queue=max_queue,
            serial=schema.serial,
            call_now=self._call_now,
        )

    def tuning(self) -> dict[str, int | None]:
        """Return by what numbers the model is called, set or measured; None where Triton does not say it."""
        schema = self.schema
        return {
            "calls_in_flight": self.batcher.calls_in_flight,
            "max_batch": schema.max_batch,
            "instances": schema.instances,
            "threads": schema.threads,
        }

    def submit(
        self, encoded: Encoded, deadline: float, demand: Demand | None = None
    ) -> "asyncio.Future[list[Prediction]]":
        """Queue instances.

        Args:
            encoded: Instances of equal shapes.
            deadline: On the event loop's clock, in seconds.
            demand: Whether somebody still waits for them; by default somebody does.

        Returns:
            Their predictions; see DynamicBatcher.submit for how it fails.

        Raises:
            QueueFullError: Too much waits already.
        """
        size = sum([len(tensor) for tensor in encoded.tensors])
        return self.batcher.submit(Job(encoded.shapes, encoded.rows, encoded, deadline, demand, size))

    async def _call(self, jobs: Sequence[InstanceJob], deadline: float) -> list[list[Prediction]]:
        message = self._encoder.encode([job.payload for job in jobs])
        try:
            reply = await self._triton.send(message, deadline)
        except (PeerUnreachableError, TimeoutError) as error:
            raise _failure(error) from error
        return self._results(jobs, reply)

    def _call_now(
        self, job: InstanceJob, settle: Callable[[list[Prediction] | CallFailedError], None]
    ) -> Callable[[], None] | None:
        """Send one job over a connection that is there; see DynamicBatcher."""

        def settled(outcome: Reply | Exception) -> None:
            if isinstance(outcome, Reply):
                try:
                    settle(self._results([job], outcome)[0])
                except CallFailedError as error:
                    settle(error)
            else:
                settle(_failure(outcome))

        return self._triton.send_now(self._encoder.encode([job.payload]), settled)

    def _results(self, jobs: Sequence[InstanceJob], reply: Reply) -> list[list[Prediction]]:
        if reply.status != 200:
            message = error_message(reply.body)
            raise GivenUpError(message) if has_lost_process(message) else ModelFailedError(message)
        return self._split(jobs, reply.body, reply.headers.get(HEADER_LENGTH))

    def _split(self, jobs: Sequence[InstanceJob], body: bytes, header_length: bytes | None) -> list[list[Prediction]]:
        rows = sum(job.rows for job in jobs)
        try:
            outputs = self._decoder.decode(body, int(header_length) if header_length is not None else None)
            predictions = self._writer.predictions(outputs, rows, batched=self.schema.max_batch > 0)
        except NotFiniteError as error:
            raise ModelFailedError(f"output {str(error)!r} {NOT_FINITE}") from error
        except ValueError as fault:
            raise BadAnswerError(str(fault)) from fault
        if len(jobs) == rows:
            return [[prediction] for prediction in predictions]
        results = []
        start = 0
        for job in jobs:
            results.append(predictions[start : start + job.rows])
            start += job.rows
        return results


def _failure(error: Exception) -> CallFailedError:
    """Say in the model's words why there is no answer."""
    if isinstance(error, ResendError):
        return NotSentError(str(error))
    if isinstance(error, PeerLostError):
        return DiedError(str(error))
    if isinstance(error, PeerUnreachableError):
        return UnreachableError(str(error))
    return CallFailedError("no answer before the deadline")
