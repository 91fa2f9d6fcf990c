"""Whether the model behind this pod answers at all: once at the start, and again whenever there is reason to doubt it.

Triton says that it is ready while it is frozen, and while every request fails because a model's process has died. Only
a real inference tells. One is made when requests fail or do not come back, never for its own sake.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from viridian_serving.artifacts.sample_file import SAMPLE_FILE
from viridian_serving.codec.oip import Encoded
from viridian_serving.inference.batcher import CallFailedError, QueueFullError
from viridian_serving.inference.model import Model, ModelFailedError
from viridian_serving.inference.readiness import Readiness
from viridian_serving.inference.trials import MADE_UP, Trial

LOG = logging.getLogger("viridian.api")

_FIRST_RETRY: Final = 0.25
_LAST_RETRY: Final = 10.0
"""Seconds between two trials of a model that has not answered yet, growing from the one to the other."""
_RETRY: Final = 1.0
"""Seconds between two trials of one that has answered before."""
_LOOK: Final = 5.0
"""Seconds without any answer after which requests that wait are reason to doubt."""


class HealthCheck:
    """Tries the model, and keeps readiness up to date."""

    def __init__(
        self,
        model: Model,
        trials: Iterable[Trial],
        readiness: Readiness,
        timeout: float,
        waiting: Callable[[], bool],
    ) -> None:
        """Prepare.

        Args:
            model: What must answer.
            trials: Inputs to try it with; anew each time that they are asked for.
            readiness: Gets the results.
            timeout: Seconds that a request may take, and so a trial behind it.
            waiting: Tells whether any request runs.
        """
        self._model = model
        self._trials = trials
        self.proven: Trial | None = None
        """An input that the model has answered; None before, or when it is none of ours."""
        self._proof = asyncio.Event()
        self._readiness = readiness
        self._timeout = timeout
        self._waiting = waiting
        self._doubt = asyncio.Event()
        self._answered = 0

    def answered(self, instances: Sequence[Encoded] = ()) -> None:
        """Record that a request was answered well.

        Args:
            instances: What the model was given, where that is known.
        """
        self._answered += 1
        if not self._proof.is_set():
            self._proof.set()
            self.proven = self.proven or (Trial(instances[0], "a request") if instances else None)

    def failed(self) -> None:
        """Record that one was not, though the model was to blame or was not there."""
        self._doubt.set()

    async def run(self) -> None:
        """Watch for ever, from a first answer on."""
        while True:
            await self._reason_to_doubt()
            trouble = await self._examine()
            if trouble is not None:
                await self._recovery(trouble)
            await asyncio.sleep(_RETRY)  # a model that fails on some inputs only is not to be tried for each of them

    async def start(self, before: Callable[[], None] = lambda: None) -> float | None:
        """Try until the model answers for the first time, a trial or anybody's request.

        Args:
            before: Called once it has, before the pod is ready.

        Returns:
            How long a trial took it, in seconds; None when none was answered.
        """
        delay = _FIRST_RETRY
        told = ""
        while True:
            took, trouble = await self._try_all()
            if took is not None or self._proof.is_set():
                self._proof.set()
                before()
                self._readiness.start()
                if took is not None:
                    LOG.info("the model answered a trial input within %.3f s: ready", took)
                else:
                    LOG.info("the model answered a request: ready")
                return took
            self._readiness.wait_for(trouble)
            if trouble != told:
                LOG.warning("%s", trouble)
                told = trouble
            with suppress(TimeoutError):
                await asyncio.wait_for(self._proof.wait(), delay)
            delay = min(2 * delay, _LAST_RETRY)

    async def _try_all(self) -> tuple[float | None, str]:
        """Try one input after the other; gives the seconds that the first good answer took, or else the first trouble.

        The first is what somebody wrote, or what is simplest: its trouble tells most.
        """
        loop = asyncio.get_running_loop()
        first = ""
        for trial in self._trials:
            began = loop.time()
            trouble = await self._try(trial)
            if trouble is None:
                self.proven = trial
                return loop.time() - began, ""
            first = first or trouble.sentence
            if self._proof.is_set() or not trouble.by_input:
                break
        return None, first

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
        if self.proven is None:
            return None  # nothing is known that it takes: what clients send says nothing against it
        loop = asyncio.get_running_loop()
        before, began = self._answered, loop.time()
        trouble = None
        for _ in range(2):
            trouble = await self._try(self.proven)
            if trouble is None or self._answered != before:
                return None
            if loop.time() - began >= self._timeout:
                break
        return trouble.sentence if trouble is not None else None

    async def _recovery(self, trouble: str | None) -> None:
        LOG.error("the model has stopped answering: %s", trouble)
        while trouble is not None:
            self._readiness.fail(trouble)
            await asyncio.sleep(_RETRY)
            trouble = await self._examine()
        self._readiness.recover()
        LOG.info("the model answers again")

    async def _try(self, trial: Trial) -> "_Trouble | None":
        """Make one inference; gives None when it was answered, else why not."""
        try:
            await self._model.submit(trial.encoded, asyncio.get_running_loop().time() + self._timeout)
        except ModelFailedError as error:
            way_out = (
                f"If it takes only particular inputs, put one as {SAMPLE_FILE} beside the model"
                if trial.what == MADE_UP
                else "Correct it, or the model"
            )
            return _Trouble(f"the model fails on {trial.what}: {error}. {way_out}", by_input=True)
        except QueueFullError:
            await asyncio.sleep(self._timeout)
            return _Trouble(f"the model's queue has been full for {self._timeout:g} s")
        except (CallFailedError, TimeoutError) as error:
            return _Trouble(f"no answer to a trial input: {str(error) or f'none within {self._timeout:g} s'}")
        return None


class _Trouble(NamedTuple):
    """Why a trial was not answered."""

    sentence: str
    by_input: bool = False
    """Whether another input may fare better."""
