"""The clients of the model: the load, in a separate process, and what it has recorded so far."""

import asyncio
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from .errors import DemoError
from .load import read_samples
from .records import Answer, AnswerReader, Totals
from .settings import CLIENT_TIMEOUT, LONGEST_LOAD, REQUESTS_PER_SECOND, Settings

FIRST_ANSWER_TIMEOUT = 2
PAUSE_BETWEEN_TRIES = 0.2
READ_RECORDS = 0.25


async def await_first_answer(settings: Settings, seconds: float) -> None:
    """Ask until the gateway lets a request through to the model: that the route is accepted does not say it is live.

    Raises:
        DemoError: there was no good answer within this time.
    """
    deadline = time.monotonic() + seconds
    sample = read_samples(settings.samples)[0]
    timeout = aiohttp.ClientTimeout(total=FIRST_ANSWER_TIMEOUT)
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        while True:
            try:
                async with session.post(settings.predict_url, data=sample.body) as response:
                    if response.status == 200:
                        return
                    last = f"HTTP {response.status}: {(await response.text())[:200]}"
            except (aiohttp.ClientError, TimeoutError) as error:
                last = str(error) or type(error).__name__
            if time.monotonic() > deadline:
                raise DemoError(
                    f"The model is stable, but {settings.predict_url} gave no good answer within {seconds:.0f} s;"
                    f" the last was: {last}. Look at the HTTPRoute's status and at the gateway's pods."
                )
            await asyncio.sleep(PAUSE_BETWEEN_TRIES)


class LoadProcess:
    """Runs `examples.demo.load` and follows its records."""

    def __init__(self, settings: Settings) -> None:
        self.answers: list[Answer] = []
        self.totals = Totals()
        self._settings = settings
        self._records = settings.build / "demo-requests.jsonl"
        self._log = settings.build / "demo-load.log"
        self._reader = AnswerReader(self._records)
        self._process: asyncio.subprocess.Process | None = None
        self._progress = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._records.unlink(missing_ok=True)
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"{__package__}.load", "--until-stdin-closes"),
                *("--url", self._settings.predict_url),
                *("--samples", str(self._settings.samples)),
                *("--records", str(self._records)),
                *("--rate", str(REQUESTS_PER_SECOND)),
                *("--seconds", str(LONGEST_LOAD)),
                *("--timeout", str(CLIENT_TIMEOUT)),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                # A process group of its own: Ctrl-C is for the demonstration, which then closes the pipe.
                start_new_session=True,
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.close()
        try:
            async with asyncio.timeout(CLIENT_TIMEOUT + 5):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self.read_new()
        if kind is None:
            self._check_end()

    async def follow(self) -> None:
        """Take in what is recorded, again and again; runs until cancelled.

        Raises:
            DemoError: the load has ended before its time, so that nothing is measured any more.
        """
        while self._process is not None and self._process.returncode is None:
            self.read_new()
            async with self._progress:
                self._progress.notify_all()
            await asyncio.sleep(READ_RECORDS)
        self._check_end()
        raise DemoError(f"The load ended unexpectedly after {LONGEST_LOAD} s: the demonstration took far too long.")

    async def until(self, count: int, seconds: float) -> None:
        """Await that this many requests ended; needs `follow` beside it.

        Raises:
            DemoError: they have not within this time.
        """
        try:
            async with asyncio.timeout(seconds), self._progress:
                await self._progress.wait_for(lambda: self.totals.requests >= count)
        except TimeoutError as error:
            raise DemoError(
                f"Only {self.totals.requests} of {count} requests came to an end within {seconds:.0f} s:"
                " the gateway or this machine does not keep up."
            ) from error

    def read_new(self) -> None:
        """Take in what was recorded since the last call."""
        fresh = self._reader.read_new()
        self.answers.extend(fresh)
        self.totals.add(fresh)

    def _check_end(self) -> None:
        if self._process is not None and self._process.returncode:
            raise DemoError(
                f"The load failed with exit status {self._process.returncode}; the end of {self._log}:\n"
                + "\n".join(_last_lines(self._log, 5))
            )


def _last_lines(path: Path, count: int) -> list[str]:
    return path.read_text(errors="replace").splitlines()[-count:]
