"""``preprocess.py`` beside the model, for features that the model does not take as they come.

Its code runs in a process of its own (``preprocess_worker.py``): nothing that it does holds up other requests for more
than a time limit, after which the process is ended and made anew. Instances that come at the same time go to it in one
call, as they do to the model; a call that ends it is run again one by one, so that the instance that did it fails
alone.
"""

import asyncio
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from viridian_serving.codec.instances import invalid
from viridian_serving.codec.oip import Encoded
from viridian_serving.codec.tensors import ModelSchema, SchemaError
from viridian_serving.contract.binding import PREPROCESS_FILE
from viridian_serving.http1.problems import Violation
from viridian_serving.inference.batcher import CallFailedError, DynamicBatcher, Job
from viridian_serving.inference.preprocess_worker import LENGTH, Failed, Loaded, Made, Refused, Result, Setup, framed

LOG = logging.getLogger("viridian.api")

_MOST_ROWS: Final = 64
"""Instances in one call."""
_OF_THE_API: Final = ("VIRIDIAN_", "OTEL_")
_LOADING: Final = 60.0
"""Seconds for the file to be loaded: it may read tables."""

Instance = dict[str, Any]
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

    def __init__(self, file: Path, model: ModelSchema, timeout: float, max_queue: int) -> None:
        """Prepare; start() comes next.

        Args:
            file: The author's.
            model: What the inputs must be.
            timeout: Seconds for one call.
            max_queue: Instances that may wait.
        """
        inputs = [(tensor.name, tensor.datatype.name, tensor.dims) for tensor in model.inputs]
        self._setup = framed(Setup(str(file), inputs))
        self._timeout = timeout
        self._process: Process | None = None
        self._joiner: DynamicBatcher[Sequence[Instance], list[Result]] = DynamicBatcher(
            self._call, calls_in_flight=1, max_rows=_MOST_ROWS, max_queue=max_queue
        )

    async def start(self) -> None:
        """Load the file.

        Raises:
            SchemaError: It cannot be used.
        """
        try:
            self._process = await self._spawned()
        except PreprocessFailedError as error:
            raise SchemaError(f"its {PREPROCESS_FILE} cannot be loaded: {error}; correct it") from error

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
        """
        parts = [items[start : start + _MOST_ROWS] for start in range(0, len(items), _MOST_ROWS)]
        jobs: list[asyncio.Future[list[Result]]] = []
        try:
            for part in parts:
                jobs.append(self._joiner.submit(Job(None, len(part), part, deadline)))  # noqa: PERF401  it may raise
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

    async def close(self) -> None:
        """End the process."""
        if (process := self._process) is not None:
            self._process = None
            # Not process.kill(), which would take the exit code of one that has ended from whoever waits for it.
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            await process.wait()

    async def _call(self, jobs: Sequence[Job[Sequence[Instance], list[Result]]], _: float) -> list[list[Result]]:
        if self._process is None:
            self._process = await self._spawned()
        instances = [instance for job in jobs for instance in job.payload]
        reply = await self._exchange(self._process, framed(instances), self._timeout)
        results = _results.decode(reply)
        split, start = [], 0
        for job in jobs:
            split.append(results[start : start + job.rows])
            start += job.rows
        return split

    async def _spawned(self) -> Process:
        # What the API alone is told, such as keys and headers of collectors; a user's own variables are for this code.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_OF_THE_API)}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "viridian_serving.inference.preprocess_worker",
            stdin=PIPE,
            stdout=PIPE,
            env=environment,
        )
        self._process = process
        reply = await self._exchange(process, self._setup, _LOADING)
        loaded = msgspec.msgpack.decode(reply, type=Loaded)
        if loaded.fault is not None:
            await self.close()
            raise PreprocessFailedError(loaded.fault)
        return process

    async def _exchange(self, process: Process, frame: bytes, seconds: float) -> bytes:
        if process.stdin is None or process.stdout is None:
            raise PreprocessFailedError("its process has no pipes")
        try:
            async with asyncio.timeout(seconds):
                process.stdin.write(frame)
                await process.stdin.drain()
                (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
                return await process.stdout.readexactly(length)
        except TimeoutError:
            await self.close()
            raise PreprocessFailedError(f"no answer within {seconds:g} s") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            await self.close()
            raise PreprocessFailedError(f"its process ended with code {process.returncode}") from None
        except asyncio.CancelledError:
            await self.close()  # what is in the pipes would be taken for the next call's
            raise
