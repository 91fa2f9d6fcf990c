"""How many requests a client may send: one bucket of tokens for each, filled at a steady rate."""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from viridian_serving.http1.messages import Request
from viridian_serving.settings.dynamic import RateLimitSettings

_MOST_CLIENTS: Final = 10_000
"""Clients that are remembered. One that was forgotten begins with a full bucket, as a new one does."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RateLimit:
    """Token buckets by client.

    The bucket holds `burst` tokens and gains `rate` a second; a request takes one (the token bucket of ITU-T I.371).
    """

    def __init__(self, rate: float, burst: float) -> None:
        """Begin with full buckets.

        Args:
            rate: Requests a second, for each client.
            burst: Requests that may come together after a pause; at least 1.
        """
        self._rate = rate
        self._burst = burst
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def admit(self, client: str, now: float) -> int:
        """Let a client send one request, or not.

        Args:
            client: Who asks.
            now: Seconds on any clock that only goes forward.

        Returns:
            0 when it may; else the full seconds after which it may again.
        """
        bucket = self._bucket(client, now)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.filled_at) * self._rate)
        bucket.filled_at = now
        if bucket.tokens < 1:
            return max(1, math.ceil((1 - bucket.tokens) / self._rate))
        bucket.tokens -= 1
        return 0

    def _bucket(self, client: str, now: float) -> _Bucket:
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = self._buckets[client] = _Bucket(self._burst, now)
            if len(self._buckets) > _MOST_CLIENTS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(client)
        return bucket


class ClientLimits:
    """Holds requests against what one client may send, as the settings of the moment say."""

    def __init__(self) -> None:
        """Let everything pass."""
        self._limit: RateLimit | None = None
        self._header = b""
        self.refused = 0
        """Requests since the start."""

    def apply(self, settings: RateLimitSettings | None) -> None:
        """Take in other settings; every client begins anew."""
        self._limit = None
        if settings is not None:
            rate = settings.requests_per_second
            self._limit = RateLimit(rate, max(1.0, settings.burst or rate))
            self._header = (settings.client_header or "").lower().encode()

    def wait_of(self, request: Request, client: str, *, trusted: bool) -> int:
        """Tell how many seconds a client has to wait; 0 when it need not.

        Args:
            request: What it sends.
            client: Its name, by its API key; empty where it has none.
            trusted: Whether it came by the gateway, whose headers are believed.
        """
        if self._limit is None:
            return 0
        wait = self._limit.admit(client or self._client(request, trusted=trusted), time.monotonic())
        self.refused += wait > 0
        return wait

    def _client(self, request: Request, *, trusted: bool) -> str:
        """Name who asks: by the header that the gateway sets, else by the address that the gateway or this pod saw.

        The gateway adds the address of its own peer at the end; what stands before is the client's to say.
        """
        if trusted:
            if self._header and (named := request.headers.get(self._header)):
                return named.decode("latin-1")
            if forwarded := request.headers.get(b"x-forwarded-for"):
                return forwarded.rpartition(b",")[2].strip().decode("latin-1")
        return request.peer
