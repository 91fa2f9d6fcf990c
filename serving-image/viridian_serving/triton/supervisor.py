"""Runs tritonserver as the first process of a container should: signals, children, exit code, and when to stop.

On SIGTERM Triton goes on serving until the API in the container next to it has answered its last request. The kubelet
stops both containers at the same moment, and Triton by itself refuses new connections at once, so that the API could
not answer what it has already accepted.

And Triton does not outlive a process that it has started for the model: it would not start it again, answer nothing but
errors, and call itself ready (an out-of-memory kill is enough). The kubelet starts the container again in seconds.

Besides Triton it runs what starts the processes for preprocess.py.
"""

import http.client
import logging
import os
import select
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from viridian_serving.settings.config import Settings
from viridian_serving.triton import replacement
from viridian_serving.triton.worker_host import WorkerHost
from viridian_shared.pod import probes

LOG = logging.getLogger("viridian.triton")

_HANDLED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD)
_TRITON_HOST: Final = "127.0.0.1"
_POLL: Final = 0.2
"""Seconds between two looks at the API's port; the other container sends no signal when it ends."""
_WATCH: Final = 0.5
"""Seconds between two looks at Triton's own processes; a grandchild's end is no signal either."""
_KILL_AFTER: Final = 10.0
"""Seconds from Triton's SIGTERM to SIGKILL, above its own exit timeout."""


def run(
    command: Sequence[str], environment: Mapping[str, str], settings: Settings, workers: WorkerHost | None = None
) -> int:
    """Run tritonserver until it ends.

    Args:
        command: Program and arguments.
        environment: Its environment.
        settings: Ports and the grace period.
        workers: Starts what runs preprocess.py, beside tritonserver and for as long.

    Returns:
        Its exit code, 128 + N when signal N ended it.
    """
    try:
        return _run(command, environment, settings, workers)
    finally:
        if workers is not None:
            workers.close()


def _run(command: Sequence[str], environment: Mapping[str, str], settings: Settings, workers: WorkerHost | None) -> int:
    signals = _Signals()
    replacement.is_asked_for(settings.run_dir)  # of the one before
    child = os.posix_spawn(command[0], list(command), dict(environment))
    drain, helpers = _Drain(settings), _Helpers(child, settings)
    while True:
        received = signals.wait(drain.poll, workers)
        for pid, code in _reap():
            if pid == child:
                return code if code >= 0 else 128 - code
            if workers is not None:
                workers.ended(pid, code)
        if workers is not None:
            workers.serve()
        for number in received:
            if number != signal.SIGCHLD:
                drain.signalled(signal.Signals(number))
        action = drain.due(time.monotonic())
        given_up = replacement.is_asked_for(settings.run_dir)
        if action is None and not drain.has_begun and (given_up or helpers.lost()):
            what = "is given up" if given_up else "has ended"
            LOG.error("a process that runs the model %s, and Triton does not start it again: stopping Triton", what)
            action = signal.SIGKILL
        if action is not None:
            os.kill(child, action)


class _Signals:
    """Signals to this process, in whichever thread they arrive.

    Libraries start their own threads, which no mask of the main one covers: a signal that the kernel gave to one of
    those would end the process at once. Python's handlers run whatever the thread.
    """

    def __init__(self) -> None:
        self._arrived, arriving = os.pipe()
        for end in (self._arrived, arriving):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(arriving)
        for number in _HANDLED:
            signal.signal(number, lambda *_: None)

    def wait(self, longest: float, workers: WorkerHost | None = None) -> bytes:
        """Wait for signals, or until there is something to do for workers.

        Args:
            longest: Seconds, at most.
            workers: Those that are waited for, too.

        Returns:
            The numbers of the signals that came.
        """
        watched: list[int | WorkerHost] = [self._arrived] if workers is None else [self._arrived, workers]
        ready, _, _ = select.select(watched, [], [], longest)
        return os.read(self._arrived, 64) if self._arrived in ready else b""


def _reap() -> Iterator[tuple[int, int]]:
    """Collect every ended child, and give its number and exit code: -N when signal N ended it."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, os.waitstatus_to_exitcode(status)


class _Helpers:
    """The processes that tritonserver has started: one for each instance of a model in Python."""

    def __init__(self, server: int, settings: Settings) -> None:
        self._server = server
        self._port = settings.triton_http_port
        self._known: set[tuple[int, int]] = set()
        self._loaded = False

    def lost(self) -> bool:
        """Say whether one that ran when the models had been loaded is gone. Some live for the time of loading only."""
        running = _children_of(self._server)
        if not self._loaded:
            # The port opens when everything is loaded.
            self._loaded = _answers(_TRITON_HOST, self._port, "/v2/health/live")
            self._known = running
            if self._loaded:
                LOG.info("Triton has loaded the model; %d of its own processes run it", len(running))
        return not self._known <= running


def _children_of(parent: int) -> set[tuple[int, int]]:
    """Return the living children of a process, each with the time of its start, since numbers are used again."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in parentheses may hold spaces; the state is the first word after it.
            state, ppid, *rest = stat.read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue  # it ended just now
        if int(ppid) == parent and state not in "ZX":
            found.add((int(stat.parent.name), int(rest[17])))
    return found


class _Drain:
    """Decides when the signal goes to Triton."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._deadline: float | None = None
        self._pending: signal.Signals | None = None
        self._sent_at: float | None = None

    @property
    def poll(self) -> float:
        """Seconds until something may be due without a signal."""
        return _POLL if self.has_begun else _WATCH

    @property
    def has_begun(self) -> bool:
        """Whether a signal to stop was received."""
        return self._deadline is not None

    def signalled(self, received: signal.Signals) -> None:
        """Record a signal; a second one ends the wait."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self._settings.grace
            LOG.info("%s: Triton serves on until the API has drained", received.name)
        else:
            self._deadline = time.monotonic()
        self._pending = received

    def due(self, now: float) -> signal.Signals | None:
        """Return the signal that Triton must get now, if any."""
        if self._sent_at is not None:
            return signal.SIGKILL if now - self._sent_at > _KILL_AFTER else None
        if self._deadline is None or self._pending is None:
            return None
        if now < self._deadline and self._api_needs_triton():
            return None
        self._sent_at = now
        LOG.info("stopping Triton")
        return signal.SIGTERM

    def _api_needs_triton(self) -> bool:
        # The API keeps its metrics port to the very end. And a Triton that has not started yet, or is frozen, serves
        # nobody: then there is nothing to wait for.
        settings = self._settings
        return _answers(settings.own_address, settings.metrics_port, probes.LIVE) and _answers(
            _TRITON_HOST, settings.triton_http_port, "/v2/health/live"
        )


def _answers(host: str, port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=1.0)
    try:
        connection.request("GET", path)
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
