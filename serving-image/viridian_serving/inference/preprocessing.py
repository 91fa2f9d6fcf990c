"""``preprocess.py`` beside the model, for features that the model does not take as they come.

Its code runs in a separate process (``preprocess_worker.py``) in the container of Triton: it cannot read what the
API holds, and nothing that it does holds up other requests for more than a time limit, after which the process is ended
and made anew. Instances that come at the same time go to it in one call, as they do to the model; a call that ends it
is run again one by one, so that the instance that did it fails alone.
"""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from viridian_serving.codec.frames import framed
from viridian_serving.codec.instances import invalid
from viridian_serving.codec.oip import Encoded
from viridian_serving.codec.tensors import ModelSchema, SchemaError
from viridian_serving.contract.binding import PREPROCESS_FILE
from viridian_serving.http1.problems import Violation
from viridian_serving.inference.batcher import CallFailedError, DynamicBatcher, Job
from viridian_serving.inference.model import UnreachableError
from viridian_serving.inference.preprocess_worker import Failed, Loaded, Made, Refused, Result, Setup
from viridian_serving.inference.worker_connection import WorkerConnection, WorkerEndedError

LOG = logging.getLogger("viridian.api")

_MOST_ROWS: Final = 64
"""Instances in one call."""
_LOADING: Final = 60.0
"""Seconds for the file to be loaded: it may read tables."""
_COMING: Final = 60.0
"""Seconds for the container of Triton to listen. It did when the model was loaded, and it may have ended since."""
_RETRY: Final = 0.25
"""Seconds between two tries to connect: a socket tells nobody that it is there."""

T = TypeVar("T")
Instance = dict[str, Any]
_loaded = msgspec.msgpack.Decoder(Loaded)
_results = msgspec.msgpack.Decoder(list[Result])


class PreprocessFailedError(CallFailedError):
    """The author's code failed on an instance, or did not come back."""

    def __init__(self, reason: str, words: str = "") -> None:
        """Say why.

        Args:
            reason: For the log, without what a client sent.
            words: The author's own, which may hold that.
        """
        super().__init__(reason)
        self.cause = words or reason


class Preprocessor:
    """Makes the model's inputs of instances."""

    def __init__(self, file: Path, model: ModelSchema, timeout: float, max_queue: int, socket: Path) -> None:
        """Prepare; start() comes next.

        Args:
            file: The author's.
            model: What the inputs must be.
            timeout: Seconds for one call.
            max_queue: Instances that may wait.
            socket: Where the container of Triton starts processes.
        """
        inputs = [(tensor.name, tensor.datatype.name, tensor.dims) for tensor in model.inputs]
        self._setup = framed(Setup(str(file), inputs))
        self._timeout = timeout
        self._socket = socket
        self._worker: WorkerConnection | None = None
        self._batcher: DynamicBatcher[Sequence[Instance], list[Result]] = DynamicBatcher(
            self._call, calls_in_flight=1, max_rows=_MOST_ROWS, max_queue=max_queue
        )

    async def start(self) -> None:
        """Load the file.

        Raises:
            SchemaError: It cannot be used.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + _COMING
        while True:
            try:
                self._worker = await self._opened()
            except PreprocessFailedError as error:
                raise SchemaError(f"its {PREPROCESS_FILE} cannot be loaded: {error}; correct it") from error
            except UnreachableError as error:
                if loop.time() >= until:
                    raise SchemaError(
                        f"its {PREPROCESS_FILE} cannot be loaded for {_COMING:g} s: {error}; that container's log may "
                        "say why"
                    ) from error
                await asyncio.sleep(_RETRY)
            else:
                return

    async def encode(self, items: Sequence[Instance], deadline: float, *, many: bool) -> list[Encoded]:
        """Make the model's inputs.

        Args:
            items: Instances, checked.
            deadline: On the event loop's clock, in seconds.
            many: Whether they came as a list.

        Returns:
            An encoded instance for each.

        Raises:
            Problem: The author's code says that some cannot be used.
            PreprocessFailedError: It failed.
            QueueFullError: Too much waits for it.
            TimeoutError: It did not come to these before the deadline.
            UnreachableError: The container of Triton, which runs it, is not there.
        """
        parts = [items[start : start + _MOST_ROWS] for start in range(0, len(items), _MOST_ROWS)]
        jobs: list[asyncio.Future[list[Result]]] = []
        try:
            for part in parts:
                jobs.append(self._batcher.submit(Job(None, len(part), part, deadline)))  # noqa: PERF401  it may raise
            results = [result for part in await asyncio.gather(*jobs) for result in part]
        finally:
            for job in jobs:
                job.cancel()  # those that wait behind one that failed, or before one that found the queue full
        if failed := next((result for result in results if isinstance(result, Failed)), None):
            raise PreprocessFailedError(failed.reason, failed.words)
        violations = [
            Violation((f"/{i}" if many else "") + (f"/{result.feature}" if result.feature else ""), result.reason)
            for i, result in enumerate(results)
            if isinstance(result, Refused)
        ]
        if violations:
            raise invalid(violations)
        return [Encoded(result.shapes, 1, result.tensors) for result in results if isinstance(result, Made)]

    def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    async def _call(self, jobs: Sequence[Job[Sequence[Instance], list[Result]]], _: float) -> list[list[Result]]:
        if self._worker is None or self._worker.is_lost:
            self._worker = await self._opened()
        instances = [instance for job in jobs for instance in job.payload]
        results = self._decoded(_results, await self._exchange(self._worker, framed(instances), self._timeout))
        if len(results) != len(instances):
            raise self._unusable()
        split, start = [], 0
        for job in jobs:
            split.append(results[start : start + job.rows])
            start += job.rows
        return split

    async def _opened(self) -> WorkerConnection:
        worker = self._worker = await WorkerConnection.open(self._socket)
        loaded = self._decoded(_loaded, await self._exchange(worker, self._setup, _LOADING))
        if loaded.fault is not None:
            self.close()
            raise PreprocessFailedError(loaded.fault)
        return worker

    async def _exchange(self, worker: WorkerConnection, frame: bytes, seconds: float) -> bytes:
        try:
            return await worker.exchange(frame, seconds)
        except BaseException as error:
            self.close()  # what is on its way would be taken for the next call's answer
            if isinstance(error, TimeoutError):
                raise PreprocessFailedError(f"no answer within {seconds:g} s") from None
            if isinstance(error, WorkerEndedError):
                raise PreprocessFailedError(str(error)) from None
            raise

    def _decoded(self, decoder: msgspec.msgpack.Decoder[T], reply: bytes) -> T:
        try:
            return decoder.decode(reply)
        except msgspec.DecodeError as error:
            raise self._unusable() from error

    def _unusable(self) -> PreprocessFailedError:
        self.close()
        return PreprocessFailedError("its process answered something that cannot be used")
