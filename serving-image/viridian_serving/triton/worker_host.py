"""Starts the processes that run ``preprocess.py``, in the container of Triton, which runs the author's code anyway.

The api container holds what no author's code may read: Secrets are mounted into it. So the API opens a connection to a
socket in the volume that both containers have, and for each one a process is started whose standard input and output
it is, as inetd does. A process lives for as long as its connection; when it ends sooner, the last frame says how.
"""

import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from viridian_serving.codec.frames import last_frame
from viridian_serving.settings.unix_socket import short_address

LOG = logging.getLogger("viridian.triton")

SOCKET: Final = "preprocess.sock"
"""In the volume of both containers."""
_COMMAND: Final = (sys.executable, "-P", "-m", "viridian_serving.inference.preprocess_worker")
_MOST: Final = 4
"""Processes at a time. The API uses one, and opens the next while the last one is being ended."""
_BACKLOG: Final = 16
"""Connections that wait for one of them to end."""


class WorkerHost:
    """Listens, starts processes and ends them. Nothing here waits: whoever runs it polls its file descriptor."""

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        """Listen.

        Args:
            path: The socket's; one that is left from before is replaced.
            environment: Of the processes.

        Raises:
            OSError: The socket cannot be made there.
        """
        self._path = path
        self.environment = dict(environment)
        """Of the processes."""
        self._connections: dict[int, socket.socket] = {}
        """By the process that each belongs to."""
        self._watched: dict[int, int] = {}
        """Processes by the file descriptor of a connection that the API has not closed yet."""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.setblocking(False)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        mask = os.umask(0o177)  # the file is there as soon as it is bound: nobody else may connect in between
        try:
            with short_address(path) as address:
                self._listener.bind(address)
        finally:
            os.umask(mask)
        self._listener.listen(_BACKLOG)
        self._events = select.epoll()
        self._events.register(self._listener, select.EPOLLIN)

    def fileno(self) -> int:
        """Return what becomes readable when serve() has something to do."""
        return self._events.fileno()

    def serve(self) -> None:
        """Start a process for each new connection, and end those whose connection was closed."""
        for descriptor, _ in self._events.poll(0):
            if descriptor == self._listener.fileno():
                self._accept()
            else:
                self._events.unregister(descriptor)
                _kill_group(self._watched.pop(descriptor))

    def ended(self, process: int, code: int) -> None:
        """Record that a child has ended, and tell the API.

        Args:
            process: Its number; one that is none of these is ignored.
            code: Its exit code, -N when signal N ended it.
        """
        connection = self._connections.pop(process, None)
        if connection is None:
            return
        _kill_group(process)  # what it has started itself
        if self._watched.pop(connection.fileno(), None) is not None:
            # Closing is not enough: the kernel goes on watching while a process that got away has the connection open.
            self._events.unregister(connection)
            LOG.warning("process %d, which ran preprocess.py, ended with code %d", process, code)
            with suppress(OSError):  # the API may have closed it just now, or have left no room
                connection.send(last_frame(code), socket.MSG_DONTWAIT)
                connection.shutdown(socket.SHUT_WR)
        connection.close()
        self._events.modify(self._listener, select.EPOLLIN)

    def close(self) -> None:
        """End every process, and listen no more."""
        self._path.unlink(missing_ok=True)
        self._events.close()
        self._listener.close()
        for process, connection in self._connections.items():
            _kill_group(process)
            connection.close()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        try:
            process = os.posix_spawn(
                _COMMAND[0],
                _COMMAND,
                self.environment,
                file_actions=[(os.POSIX_SPAWN_DUP2, connection.fileno(), standard) for standard in (0, 1)],
                setpgroup=0,  # so that what it starts can be ended with it
            )
        except OSError as error:
            LOG.error("no process could be started that runs preprocess.py: %s", error)  # noqa: TRY400  no defect
            connection.close()
            return
        self._connections[process] = connection
        self._watched[connection.fileno()] = process
        self._events.register(connection, select.EPOLLRDHUP)
        if len(self._connections) >= _MOST:
            self._events.modify(self._listener, 0)


def _kill_group(process: int) -> None:
    with suppress(ProcessLookupError):  # nothing of it is left
        os.killpg(process, signal.SIGKILL)
