"""How many requests a client may send: one bucket of tokens for each, filled at a steady rate. Time is an argument."""

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

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
