"""Whether the model behind this pod answers at all: once at the start, and again whenever there is reason to doubt it.

Triton says that it is ready while it is frozen, and while every request fails because a model's process has died. Only
a real inference tells. One is made when requests fail or do not come back, never for its own sake.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from viridian_serving.joiner import CallFailedError, QueueFullError
from viridian_serving.model import Model, ModelFailedError
from viridian_serving.readiness import SAMPLE_FILE, Readiness
from viridian_serving.wire import Encoded

LOG = logging.getLogger("viridian.api")

_FIRST_RETRY: Final = 0.25
_LAST_RETRY: Final = 10.0
"""Seconds between two trials of a model that has not answered yet, growing from the one to the other."""
_RETRY: Final = 1.0
"""Seconds between two trials of one that has answered before."""
_LOOK: Final = 5.0
"""Seconds without any answer after which requests that wait are reason to doubt."""


class ModelWatch:
    """Tries the model, and keeps readiness up to date."""

    def __init__(
        self,
        model: Model,
        samples: Sequence[Encoded],
        readiness: Readiness,
        timeout: float,
        waiting: Callable[[], bool],
    ) -> None:
        """Prepare.

        Args:
            model: What must answer.
            samples: Inputs to try it with.
            readiness: Gets the results.
            timeout: Seconds that a request may take, and so a trial behind it.
            waiting: Tells whether any request runs.
        """
        self._model = model
        self._samples = list(samples)
        self._readiness = readiness
        self._timeout = timeout
        self._waiting = waiting
        self._doubt = asyncio.Event()
        self._answered = 0

    def answered(self) -> None:
        """Note that a request was answered well."""
        self._answered += 1

    def failed(self) -> None:
        """Note that one was not, though the model was to blame or was not there."""
        self._doubt.set()

    async def run(self) -> None:
        """Watch for ever, from a first answer on."""
        while True:
            await self._reason_to_doubt()
            trouble = await self._examine()
            if trouble is not None:
                await self._recovery(trouble)
            await asyncio.sleep(_RETRY)  # a model that fails on some inputs only is not to be tried for each of them

    async def start(self) -> float:
        """Try until the model answers for the first time.

        Returns:
            How long that took it, in seconds.
        """
        loop = asyncio.get_running_loop()
        delay = _FIRST_RETRY
        while True:
            for sample in self._samples:
                began = loop.time()
                trouble = await self._try(sample)
                if trouble is None:
                    took = loop.time() - began
                    self._samples = [sample]
                    self._readiness.start()
                    LOG.info("the model answered a trial input within %.3f s: ready", took)
                    return took
                self._readiness.wait_for(trouble)
                LOG.warning("%s", trouble)
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LAST_RETRY)

    async def _reason_to_doubt(self) -> None:
        while True:
            before = self._answered
            try:
                async with asyncio.timeout(_LOOK):
                    await self._doubt.wait()
            except TimeoutError:
                if self._waiting() and self._answered == before:
                    return
            else:
                self._doubt.clear()
                return

    async def _examine(self) -> str | None:
        """Try twice, or for as long as a request may take; the model answers if it answers anybody meanwhile."""
        loop = asyncio.get_running_loop()
        before, began = self._answered, loop.time()
        trouble = None
        for _ in range(2):
            trouble = await self._try(self._samples[0])
            if trouble is None or self._answered != before:
                return None
            if loop.time() - began >= self._timeout:
                break
        return trouble

    async def _recovery(self, trouble: str | None) -> None:
        LOG.error("the model has stopped answering: %s", trouble)
        while trouble is not None:
            self._readiness.fail(trouble)
            await asyncio.sleep(_RETRY)
            trouble = await self._examine()
        self._readiness.recover()
        LOG.info("the model answers again")

    async def _try(self, sample: Encoded) -> str | None:
        """Make one inference; gives None when it was answered, else a sentence why not."""
        try:
            await self._model.submit(sample, asyncio.get_running_loop().time() + self._timeout)
        except ModelFailedError as error:
            return (
                f"the model fails on a trial input: {error}. If it takes only particular inputs, "
                f"put one as {SAMPLE_FILE} beside the model"
            )
        except QueueFullError:
            await asyncio.sleep(self._timeout)
            return f"the queue before the model has been full for {self._timeout:g} s"
        except (CallFailedError, TimeoutError) as error:
            return f"no answer to a trial input: {str(error) or f'none within {self._timeout:g} s'}"
        return None
