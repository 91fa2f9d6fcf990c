"""Sends requests, at a rate or as so many clients that wait for their answers, and writes down how each went."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from viridian_serving.checks.golden import Golden, difference
from viridian_serving.checks.load import Sent, due_times
from viridian_serving.http1.client import PeerUnreachableError, Reply

Post = Callable[[bytes], Awaitable[Reply]]
"""Sends a body to /predict, and gives the answer.

Raises:
    PeerUnreachableError: Nobody answers.
    TimeoutError: It took too long.
"""
_MOST_OPEN: Final = 1000
"""Requests without an answer beyond which no more are sent."""
_SOON: Final = 0.05
"""Seconds until the first request is due."""


async def at_rate(post: Post, questions: Sequence[Golden], rate: float, count: int) -> list[Sent]:
    """Send requests when they are due, whether or not earlier ones were answered.

    Args:
        post: Sends one.
        questions: What is asked, in turns, and what must be answered.
        rate: Requests a second.
        count: How many.

    Returns:
        How each went, in their order.
    """
    sender = _Sender(post, questions)
    loop = asyncio.get_running_loop()
    start = loop.time() + _SOON
    tasks = []
    for number, offset in enumerate(due_times(rate, count)):
        if (wait := start + offset - loop.time()) > 0:
            await asyncio.sleep(wait)  # until the next one is due
        tasks.append(loop.create_task(sender.send(number, start + offset)))
    return await asyncio.gather(*tasks)


async def by_clients(post: Post, questions: Sequence[Golden], clients: int, count: int) -> list[Sent]:
    """Send requests as clients do that each wait for their answer.

    Args:
        post: Sends one.
        questions: What is asked, in turns, and what must be answered.
        clients: How many.
        count: Requests of all of them.

    Returns:
        How each went. Each was due when it was sent.
    """
    sender = _Sender(post, questions)
    numbers = iter(range(count))

    async def client() -> list[Sent]:
        loop = asyncio.get_running_loop()
        return [await sender.send(number, loop.time()) for number in numbers]

    return [each for sent in await asyncio.gather(*(client() for _ in range(clients))) for each in sent]


class _Sender:
    def __init__(self, post: Post, questions: Sequence[Golden]) -> None:
        self._post = post
        self._questions = [(each, msgspec.json.encode(each.request)) for each in questions]
        self._open = 0

    async def send(self, number: int, due: float) -> Sent:
        question, body = self._questions[number % len(self._questions)]
        loop = asyncio.get_running_loop()
        sent = loop.time()
        if self._open >= _MOST_OPEN:
            return Sent(due, sent, sent, f"not sent, as {_MOST_OPEN} others had no answer yet")
        self._open += 1
        error = ""
        try:
            reply = await self._post(body)
        except PeerUnreachableError as unreachable:
            error = str(unreachable)
        except TimeoutError:
            error = "no answer in time"
        finally:
            self._open -= 1
        ended = loop.time()
        if not error and (told := difference(question, reply.status, reply.body)):
            error = f"status {reply.status}" if reply.status != question.status else f"another answer: {told}"
        return Sent(due, sent, ended, error)
