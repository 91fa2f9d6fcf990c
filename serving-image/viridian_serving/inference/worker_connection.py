"""The API's connection to the process that runs ``preprocess.py``, which the container of Triton starts for it."""

import asyncio
from pathlib import Path
from typing import Self, cast

from viridian_serving.codec.frames import CODE, LAST, LENGTH
from viridian_serving.inference.model import UnreachableError
from viridian_serving.settings.unix_socket import short_address


class WorkerEndedError(Exception):
    """The process has ended."""


class WorkerConnection(asyncio.Protocol):
    """One connection, one process, one call at a time."""

    def __init__(self) -> None:
        """Prepare; open() makes one that is connected."""
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._waiter: asyncio.Future[bytes] | None = None
        self._end: Exception | None = None

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Connect, and have a process started.

        Args:
            path: The socket's.

        Raises:
            UnreachableError: Nobody listens there.
        """
        try:
            with short_address(path) as address:
                _, connection = await asyncio.get_running_loop().create_unix_connection(cls, address)
        except OSError as error:
            raise UnreachableError(f"the triton container does not listen on {path} ({error})") from error
        return connection

    @property
    def is_lost(self) -> bool:
        """Whether it is of no use any more because the container of Triton has ended."""
        return isinstance(self._end, UnreachableError)

    async def exchange(self, frame: bytes, seconds: float) -> bytes:
        """Send a frame and wait for the answer.

        Args:
            frame: With its length.
            seconds: To wait, at most.

        Returns:
            The answer, without its length.

        Raises:
            TimeoutError: None came; the connection has to be closed.
            UnreachableError: The container of Triton has ended.
            WorkerEndedError: The process has.
        """
        if self._end is not None:
            raise self._end
        if self._transport is None:
            raise UnreachableError("it is not connected")
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(frame)
        async with asyncio.timeout(seconds):
            return await self._waiter

    def close(self) -> None:
        """Close it at once, which ends the process."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, as asyncio says."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its base class

    def data_received(self, data: bytes) -> None:
        """Take in a part of an answer, or of the last frame."""
        self._received += data
        while len(self._received) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._received)
            size = LENGTH.size + (CODE.size if length == LAST else length)
            if len(self._received) < size:
                return
            content = bytes(self._received[LENGTH.size : size])
            del self._received[:size]
            if length == LAST:
                self._ended(WorkerEndedError(f"its process ended with code {CODE.unpack(content)[0]}"))
            elif self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(content)

    def connection_lost(self, _: Exception | None) -> None:
        """Record the end; without a last frame it is that of the whole container."""
        self._ended(UnreachableError("the triton container, which runs preprocess.py, closed the connection"))

    def _ended(self, end: Exception) -> None:
        self._end = self._end or end
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(self._end)
