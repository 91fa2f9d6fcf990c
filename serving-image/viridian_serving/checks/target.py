"""A version under check: its address in the cluster, and how requests to it say that they are no user's."""

import asyncio
import math
from collections.abc import Sequence
from urllib.parse import urlsplit

from viridian_serving.checks.triton_client import TritonClient
from viridian_serving.http1.client import HttpClient, Reply
from viridian_shared.counts import via


class Target:
    """Sends requests to one version.

    Attributes:
        triton: The same version, by tritonclient.
    """

    def __init__(self, url: str, peer: str, key: str, seconds: float) -> None:
        """Remember where it is.

        Args:
            url: Such as http://iris-green.default.svc:8000.
            peer: What errors call it.
            key: An API key; empty where the model wants none.
            seconds: After which a request counts as unanswered, unless it says something else.
        """
        parts = urlsplit(url)
        self._seconds = seconds
        self._client = HttpClient(parts.hostname or "", parts.port or 80, peer)
        headers = {via.HEADER: via.Via.CHECK.value, **({"X-Api-Key": key} if key else {})}
        self.triton = TritonClient(parts.netloc, peer, headers, seconds)
        self._headers: Sequence[tuple[bytes, bytes]] = [
            (b"Content-Type", b"application/json"),
            *((name.encode(), value.encode()) for name, value in headers.items()),
        ]

    async def get(self, path: str) -> Reply:
        """Read a document.

        Raises:
            PeerUnreachableError: Nobody answers.
            TimeoutError: It took too long.
        """
        return await self._call("GET", path, b"", self._seconds)

    async def predict(self, body: bytes, seconds: float = math.inf) -> Reply:
        """Ask for a prediction, and wait at most so long.

        Raises:
            PeerUnreachableError: Nobody answers.
            TimeoutError: It took too long.
        """
        return await self._call("POST", "/predict", body, min(seconds, self._seconds))

    async def _call(self, method: str, path: str, body: bytes, seconds: float) -> Reply:
        deadline = asyncio.get_running_loop().time() + seconds
        return await self._client.call(method, path, self._headers, [body] if body else [], deadline=deadline)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()
