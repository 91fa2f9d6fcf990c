"""How a request that counts ends: what its answer, or its client's leaving, says about the model."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

from viridian_serving.http1.messages import Request, Response
from viridian_serving.inference.witness import Witness
from viridian_serving.metrics.guard_counters import FrozenCounters, outcome_of
from viridian_shared.counts.outcome import Outcome
from viridian_shared.counts.via import Via


def _leave(request: Request, abandoned_after: float, task: "asyncio.Task[object]") -> None:
    """Record that the client of a counted request has left before it was answered.

    A client that has left sees no answer, so its request is never ok. If there was no answer within
    VIRIDIAN_ABANDONED_AFTER, the model has kept the client waiting for too long: an error, counted then and not at the
    timeout, and the work is given up. Else a model that hangs would look the healthier the shorter its clients'
    timeouts are. If the answer came sooner, leaving says nothing about the model, and the request is not judged.
    """
    remaining = abandoned_after - (time.perf_counter() - request.received)
    if remaining > 0:
        asyncio.get_running_loop().call_later(remaining, task.cancel)  # does nothing once the request is answered
    else:
        task.cancel()


async def counted(
    request: Request,
    via: Via,
    counters: FrozenCounters,
    abandoned_after: float,
    answer: Awaitable[Response],
    witness: Witness | None = None,
    judge: Callable[[Response], Outcome] = lambda response: outcome_of(response.status),
) -> tuple[Response, Outcome]:
    """Await an answer, and count what came of the request before anybody sees it.

    An answer from the cache says nothing about the model now, so it is counted apart.

    Args:
        request: What is answered.
        via: How it came.
        counters: Where it is counted.
        abandoned_after: Seconds after which a client that leaves counts as an error.
        answer: Raises nothing but that it was cancelled.
        witness: Settles what an error counts as, a moment later; None counts it at once.
        judge: Tells what an answer says of the model.

    Returns:
        The answer and the outcome, as far as this pod alone can tell it.
    """
    task = asyncio.current_task()
    if task is not None:
        request.on_gone = partial(_leave, request, abandoned_after, task)
    try:
        response = await answer
    except BaseException:
        counters.record(via, Outcome.ERROR, time.perf_counter() - request.received, time.time_ns())
        raise
    outcome, seconds = judge(response), time.perf_counter() - request.received
    if response.cached:
        counters.record(via, Outcome.CACHED, seconds, time.time_ns())
        return response, outcome
    if request.gone and outcome is Outcome.OK:
        outcome = Outcome.REJECTED
    if outcome is Outcome.ERROR and witness is not None:
        witness.judge(response, lambda settled: counters.record(via, settled, seconds, time.time_ns()))
    else:
        counters.record(via, outcome, seconds, time.time_ns())
    return response, outcome
