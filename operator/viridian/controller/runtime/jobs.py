"""Jobs that run together and end together."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

CANCEL_AGAIN_AFTER = 0.5
"""Seconds until a job that goes on after it was cancelled is cancelled again."""


async def run_until_cancelled(jobs: Mapping[str, Coroutine[Any, Any, None]]) -> None:
    """Run jobs that never end by themselves, by their names; if one fails, all end, and its error is raised."""
    tasks = [asyncio.create_task(job, name=name) for name, job in jobs.items()]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
            raise RuntimeError(f"{task.get_name()} ended unexpectedly")
    finally:
        await end(tasks)


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until all of them have ended, also when whoever waits for that is cancelled meanwhile.

    To cancel once is not enough: a request that runs into its timeout in the same moment turns the cancellation into an
    error, which a loop survives. After a process was frozen, that is what happens.
    """
    pending, interrupted = {task for task in tasks if not task.done()}, False
    while pending:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=CANCEL_AGAIN_AFTER)
        except asyncio.CancelledError:
            interrupted = True
        pending = {task for task in pending if not task.done()}
    if interrupted:
        raise asyncio.CancelledError
