"""Runs tritonserver as the first process of a container should: signals, children, exit code, and when to stop.

On SIGTERM Triton goes on serving until the API in the container next to it has answered its last request. The kubelet
stops both containers at the same moment, and Triton by itself refuses new connections at once, so that the API could
not answer what it has already accepted.
"""

import http.client
import logging
import os
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Final

from viridian_serving.config import Settings

LOG = logging.getLogger("viridian.triton")

_HANDLED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD)
_POLL: Final = 0.2
"""Seconds between two looks at the API's port; the other container sends no signal when it ends."""
_KILL_AFTER: Final = 10.0
"""Seconds from Triton's SIGTERM to SIGKILL, above its own exit timeout."""


def run(command: Sequence[str], environment: Mapping[str, str], settings: Settings) -> int:
    """Run tritonserver until it ends.

    Args:
        command: Program and arguments.
        environment: Its environment.
        settings: Ports and the grace period.

    Returns:
        Its exit code, 128 + N when signal N ended it.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    child = os.posix_spawn(command[0], list(command), dict(environment), setsigmask=[])
    drain = _Drain(settings)
    while True:
        received = signal.sigtimedwait(_HANDLED, drain.poll)
        code = _reap(child)
        if code is not None:
            return code
        if received is not None and received.si_signo != signal.SIGCHLD:
            drain.signalled(signal.Signals(received.si_signo))
        action = drain.due(time.monotonic())
        if action is not None:
            os.kill(child, action)


def _reap(child: int) -> int | None:
    """Collect every ended child, and give the code of the one that matters when it has ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


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
        return 3600.0 if self._deadline is None else _POLL

    def signalled(self, received: signal.Signals) -> None:
        """Note a signal; a second one ends the wait."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self._settings.grace
            LOG.info("%s: Triton serves on until the API has drained", received.name)
        else:
            self._deadline = time.monotonic()
        self._pending = received

    def due(self, now: float) -> signal.Signals | None:
        """Give the signal that Triton must get now, if any."""
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
        return _answers(self._settings.metrics_port, "/live") and _answers(
            self._settings.triton_http_port, "/v2/health/live"
        )


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1.0)
    try:
        connection.request("GET", path)
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
