"""A model that fails on purpose, for the twin of a drill. Which one a pod has is chosen once, at its start.

It stands where the model stands: what a request meets before and after it, counters and fallback included, is the same
as for a model that fails by itself. Trial inferences do not pass it, so the pod is ready as a bad version often is.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from viridian_serving.codec.answers import Prediction
from viridian_serving.codec.oip import Encoded
from viridian_serving.contract.contract import Contract
from viridian_serving.http1.client import HttpClient
from viridian_serving.inference.batcher import Demand
from viridian_serving.inference.model import Model, ModelFailedError
from viridian_serving.settings.config import Settings
from viridian_serving.settings.termination_log import report
from viridian_shared.drill import DrillKind
from viridian_shared.pod.exit_codes import DRILL_CRASHED

LOG = logging.getLogger("viridian.api")

Answers = Awaitable[list[Prediction]]
Misbehavior = Callable[[Answers], Answers]
"""Makes of what the model will answer what a request gets."""


def serving_model(settings: Settings, healthy: Model, triton: HttpClient, contract: Contract) -> Model:
    """Return what requests are answered by: the model itself, but in the twin of a drill one that fails on purpose.

    Args:
        settings: Of this pod.
        healthy: The model.
        triton: The way to Triton.
        contract: What the model takes and gives.
    """
    if settings.drill is None:
        return healthy
    LOG.warning("this pod is the twin of a drill and fails on purpose: %s", settings.drill)
    limits: dict[str, Any] = {"calls_in_flight": settings.calls_in_flight, "max_queue": settings.max_queue}
    return MisbehavingModel(misbehavior(settings), triton, settings.model, contract, **limits)


class MisbehavingModel(Model):
    """A model whose answers pass through a misbehavior."""

    def __init__(
        self,
        misbehave: Misbehavior,
        triton: HttpClient,
        name: str,
        contract: Contract,
        *,
        calls_in_flight: int,
        max_queue: int,
    ) -> None:
        """Prepare.

        Args:
            misbehave: What happens to each answer.
            triton: The way to Triton.
            name: The model's name there.
            contract: What it takes and gives.
            calls_in_flight: Calls at the same time.
            max_queue: Instances that may wait.
        """
        super().__init__(triton, name, contract, calls_in_flight=calls_in_flight, max_queue=max_queue)
        self._misbehave = misbehave

    def submit(
        self, encoded: Encoded, deadline: float, demand: Demand | None = None
    ) -> "asyncio.Future[list[Prediction]]":
        """Queue instances as Model.submit does, and spoil what comes of it."""
        return asyncio.ensure_future(self._misbehave(super().submit(encoded, deadline, demand)))


def misbehavior(settings: Settings) -> Misbehavior:
    """Return what the settings ask for.

    Args:
        settings: Of a pod with `drill`.
    """
    match settings.drill:
        case DrillKind.SLOW:
            return _late(settings.drill_delay)
        case DrillKind.WRONG:
            return _constant()
        case DrillKind.CRASH:
            return _crash(settings.termination_log)
        case _:
            return _fail


async def _fail(answers: Answers) -> list[Prediction]:
    await answers
    raise ModelFailedError("it fails on purpose, as this pod is the twin of a drill")


def _late(delay: float) -> Misbehavior:
    async def answer(answers: Answers) -> list[Prediction]:
        given = await answers
        await asyncio.sleep(delay)
        return given

    return answer


def _constant() -> Misbehavior:
    first: list[Prediction] = []

    async def answer(answers: Answers) -> list[Prediction]:
        given = await answers
        first.extend(given[: 1 - len(first)])
        return [dict(first[0]) for _ in given]

    return answer


def _crash(termination_log: Path) -> Misbehavior:
    async def answer(answers: Answers) -> list[Prediction]:
        await answers
        report(termination_log, ["The api container ends on purpose: this pod is the twin of a drill."])
        os._exit(DRILL_CRASHED)

    return answer
