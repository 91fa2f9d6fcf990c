"""A pod on one machine: the commands of its two containers as processes, one terminal for both, and one end."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from viridian_serving.settings.prctl import end_with_parent

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LAST_WORDS: Final = 2.0
"""Seconds for the end of the logs, once everything was ended."""
_OURS: Final = re.compile(r"\d{4}-\d\d-\d\d (\d\d:\d\d:\d\d),\d+ (\w+) \S+ (.*)")
_TRITONS: Final = re.compile(r"([IWEF])\d{4} (\d\d:\d\d:\d\d)\.\d+ \d+ \S+:\d+\] (.*)")
_LEVELS: Final = {"I": "INFO", "W": "WARNING", "E": "ERROR", "F": "FATAL"}
_IDLE_WORDS: Final = (
    # Triton says so on every machine without a GPU, as errors, and serves.
    *("CudaDriverHelper has not been initialized", "Unable to allocate pinned system memory"),
    # What a pod logs about files that a laptop does not have, and Triton about a requested end.
    *("settings: {}", "the prediction log's Secret holds nothing", "Signal (15) received."),
)
_DECIDING: Final = re.compile(r"Model \S+ \S+ cannot be served: |The \w+ container cannot |tritonserver ended with ")
"""How a sentence begins that says why a container ended."""


Show = Callable[[str], None]
"""Takes a line of the logs."""


@dataclass(frozen=True)
class End:
    """How a pod ended."""

    by_signal: bool
    reasons: tuple[str, ...]
    """Sentences that say why a container ended, where it said so."""


async def run(environment: Mapping[str, str], when_started: Callable[[], Coroutine[Any, Any, None]], show: Show) -> End:
    """Run both containers until a signal, or until one of them ends.

    Args:
        environment: Of both.
        when_started: Runs beside them.
        show: Takes what they log, line by line, without the reasons.

    Returns:
        How it ended.

    Raises:
        OSError: The processes cannot be started.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    parts: list[Process] = []

    def received() -> None:
        # Whoever asks again does not want to wait.
        for part in parts if stop.is_set() else ():
            _kill(part)
        stop.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, received)
    shown: list[asyncio.Task[None]] = []
    reasons: dict[str, None] = {}
    assets = loop.create_task(when_started())
    try:
        for name in ("triton", "api"):
            part, log = await _start(name, environment)
            parts.append(part)
            shown.append(loop.create_task(_show(log, show, reasons)))
        ends = [loop.create_task(part.wait()) for part in parts]
        stopped = loop.create_task(stop.wait())
        done, _ = await asyncio.wait((*ends, stopped, assets), return_when=asyncio.FIRST_COMPLETED)
        if done == {assets}:
            assets.result()  # a fault in there ends the pod, and is not lost
            await asyncio.wait((*ends, stopped), return_when=asyncio.FIRST_COMPLETED)
        assets.cancel()
        for part in parts:
            if part.returncode is None:
                part.terminate()
        await asyncio.gather(*ends)
    finally:
        for part in parts:
            _kill(part)
        if shown:
            await asyncio.wait(shown, timeout=_LAST_WORDS)
    return End(stop.is_set(), tuple(reasons))


async def _start(part: str, environment: Mapping[str, str]) -> tuple[Process, asyncio.StreamReader]:
    """Start a container's command, and give what it prints."""
    loop = asyncio.get_running_loop()
    # A pipe of our own: with one of asyncio's, a process has not ended while a child that it left behind holds that.
    reading, writing = os.pipe()
    log = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(log), os.fdopen(reading, "rb"))
    try:
        # In its own group, or the terminal's Ctrl-C would end Triton before the API has answered its last request.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", f"viridian_serving.commands.{part}"),
            stdin=DEVNULL,
            stdout=writing,
            stderr=STDOUT,
            env=dict(environment),
            process_group=0,
            # When this process is killed, nobody else would end the other two.
            preexec_fn=partial(end_with_parent, signal.SIGTERM),
        )
    finally:
        os.close(writing)
    return process, log


def _kill(part: Process) -> None:
    with suppress(ProcessLookupError):  # nothing of it is left
        os.killpg(part.pid, signal.SIGKILL)


async def _show(log: asyncio.StreamReader, show: Show, reasons: dict[str, None]) -> None:
    """Show what a process logs, to the end, save why it ends: that is kept in ``reasons``."""
    rest = b""
    while chunk := await log.read(1 << 16):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            _show_line(line, show, reasons)
    if rest:
        _show_line(rest, show, reasons)


def _show_line(line: bytes, show: Show, reasons: dict[str, None]) -> None:
    text = readable(line.decode("utf-8", "replace"))
    if text is not None and _DECIDING.match(text):
        reasons[text] = None
    elif text is not None:
        show(text)


def say(line: str) -> None:
    """Print a line between those of the logs."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def readable(line: str) -> str | None:
    """Shorten a line of a log to what a person at a terminal wants to know.

    Args:
        line: As one of the containers, or Triton, logs it.

    Returns:
        The time of day, the level if it is not the usual one, and the message; any other line as it is; None when it is
        not worth one.
    """
    if any(words in line for words in _IDLE_WORDS):
        return None
    if found := _OURS.fullmatch(line):
        time, level, message = found[1], found[2], found[3]
    elif found := _TRITONS.fullmatch(line):
        time, level, message = found[2], _LEVELS[found[1]], "Triton: " + found[3].strip('"')
    else:
        return line
    return f"{time}  {message}" if level == "INFO" else f"{time}  {level}  {message}"
