"""The container that sends the requests of a drill to its twin, until failures were seen and are over."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from typing import Final
from urllib.parse import urlsplit

import msgspec

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.checks.api_key import any_key
from viridian_serving.checks.drill_traffic import Plan, Tally
from viridian_serving.checks.golden import brief
from viridian_serving.http1.client import HttpClient, PeerUnreachableError
from viridian_serving.settings import config
from viridian_serving.settings.config import Settings
from viridian_serving.settings.termination_log import report
from viridian_shared.pod.check_variables import TRAFFIC

DONE, CANNOT_RUN = 0, 69
"""Exit codes."""
_WAITS: Final = 10.0
"""Seconds after which a request counts as unanswered."""
_MOST_OPEN: Final = 50
"""Requests without an answer beyond which no more are sent: a twin that hangs must not fill this container."""
_TRIES: Final = 30
"""Seconds for which the twin's first good answer is waited for."""


class NoGoodAnswerError(Exception):
    """Before anything fails on purpose, the twin does not answer well; the message says what it answers."""


def main() -> int:
    """Run the container.

    Returns:
        The exit code: 0 with a report in the termination log, 69 when there was nothing to send or nobody to ask.
    """
    log = config.termination_log(os.environ)
    try:
        settings = config.load(os.environ)
        plan = msgspec.json.decode(os.environ[TRAFFIC], type=Plan)
        tally = asyncio.run(send(settings, plan))
    except config.ConfigError as error:
        report(log, error.sentences)
        return CANNOT_RUN
    except (NoGoodAnswerError, ModelError, ValueError) as error:
        report(log, [str(error)])
        return CANNOT_RUN
    report(settings.termination_log, [tally.report()])
    return DONE


async def send(settings: Settings, plan: Plan) -> Tally:
    """Send requests at an even rate, each on its own connection, as a Service moves none that is open.

    Args:
        settings: Of this container.
        plan: What to send, and for how long.

    Raises:
        NoGoodAnswerError: The twin does not answer well, though nothing fails on purpose yet.
        ValueError: There is no key for a model that wants one.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    sender = _Sender(plan, any_key(settings))
    await sender.begin()
    until = time.time() + plan.longest
    running: set[asyncio.Task[None]] = set()
    while not stop.is_set() and time.time() < until and not sender.tally.is_over(time.time(), plan):
        if len(running) < _MOST_OPEN:
            task = asyncio.create_task(sender.ask())
            running.add(task)
            task.add_done_callback(running.discard)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1 / plan.rate)
    if running:
        await asyncio.wait(running, timeout=_WAITS)
    return sender.tally


class _Sender:
    def __init__(self, plan: Plan, key: str) -> None:
        parts = urlsplit(plan.url)
        self._client = HttpClient(parts.hostname or "", parts.port or 80, "the twin", keep=0)
        self._headers = [(b"Content-Type", b"application/json"), *([(b"X-Api-Key", key.encode())] if key else [])]
        self._plan = plan
        self._body = b""
        self.tally = Tally()

    async def begin(self) -> None:
        """Ask for the example of the twin's schema, and see that it is answered well."""
        failure = ""
        for _ in range(_TRIES):
            try:
                self._body = msgspec.json.encode(
                    msgspec.json.decode(await self._call("GET", "/schema", b""))["example"]
                )
                await self._call("POST", "/predict", self._body)
            except (PeerUnreachableError, TimeoutError, _BadStatusError) as error:
                failure = str(error) or "no answer in time"
                await asyncio.sleep(1.0)
            else:
                return
        raise NoGoodAnswerError(f"the twin does not answer the example of its schema: {failure}")

    async def ask(self) -> None:
        begun, failure = time.perf_counter(), ""
        try:
            await self._call("POST", "/predict", self._body)
        except (PeerUnreachableError, _BadStatusError) as error:
            failure = str(error)
        except TimeoutError:
            failure = f"no answer within {_WAITS:g} s"
        took = time.perf_counter() - begun
        if not failure and self._plan.slow is not None and took > self._plan.slow:
            failure = f"answered after {took:.3f} s"
        self.tally = self.tally.after(time.time(), failure)

    async def _call(self, method: str, path: str, body: bytes) -> bytes:
        deadline = asyncio.get_running_loop().time() + _WAITS
        reply = await self._client.call(method, path, self._headers, [body] if body else [], deadline=deadline)
        if reply.status != 200:
            raise _BadStatusError(f"status {reply.status}: {brief(reply.body)}")
        return reply.body


class _BadStatusError(Exception):
    """An answer that is no prediction."""


if __name__ == "__main__":
    sys.exit(main())
