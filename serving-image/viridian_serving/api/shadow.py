"""Copies of stable's requests for a candidate, whose answers are compared with stable's and thrown away.

Nothing of it is on a user's time: a copy is sent once its request is over. So few of them are under way, and of so few
bytes, that a slow candidate costs stable no more than that; what would be more is not sent, and counted.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import msgspec

from viridian_serving.api.api_keys import HEADERS as KEY_HEADERS
from viridian_serving.codec.comparison import Comparison, compare
from viridian_serving.codec.offload import aside
from viridian_serving.codec.oip_payloads import outputs_of
from viridian_serving.http1.client import HttpClient, PeerUnreachableError, Reply
from viridian_serving.http1.messages import Response
from viridian_serving.inference.request_context import RequestContext
from viridian_serving.telemetry.shadow_counts import ShadowCounts
from viridian_shared.counts.mirrored import Mirrored
from viridian_shared.counts.outcome import Outcome
from viridian_shared.counts.via import HEADER as VIA_HEADER
from viridian_shared.counts.via import Via
from viridian_shared.shadow import HEADER, Shadow, read_shadow

LOG = logging.getLogger("viridian.api")

_SHADOW_HEADER: Final = HEADER.lower().encode()
_BY_ROUTE: Final = frozenset({Via.SPLIT, Via.PIN})
"""Requests that carry the route's word; nobody else can say what is mirrored."""
_PASSED: Final = (
    b"content-type",
    b"inference-header-content-length",
    b"triton-request-id",
    b"traceparent",
    b"tracestate",
    *KEY_HEADERS,  # the candidate asks the same client for its key
)
_REFUSES: Final = frozenset({400, 413, 415, 422})
"""Answers by which a candidate refuses what stable takes."""
MOST_OPEN: Final = 64
"""Copies without an answer."""
MOST_BYTES: Final = 32 << 20
"""Bytes of their requests and of stable's answers."""
EXAMPLES: Final = 20
"""Pairs that disagree and are logged, for each candidate."""

_THREAD: Final = ThreadPoolExecutor(1, "comparing")
"""Not the one that reads users' bodies."""
_DICE: Final = random.Random()  # noqa: S311  no secret

Log = Callable[[RequestContext, str, object], None]
"""Keeps a request with the revision of the candidate and what that answered instead."""


class Mirror:
    """Mirrors a share of what this pod has answered, while the route says so."""

    def __init__(
        self,
        client: HttpClient,
        revision: str,
        timeout: float,
        counts: ShadowCounts,
        log: Log,
        dice: Callable[[], float] = _DICE.random,
    ) -> None:
        """Prepare.

        Args:
            client: The way to the Service of the other color.
            revision: This pod's own.
            timeout: Seconds that a copy may take.
            counts: Where it is counted what became of copies.
            log: Gets examples that disagree.
            dice: Gives numbers from 0 to 1, 1 excluded.
        """
        self._client = client
        self._revision = revision
        self._timeout = timeout
        self._counts = counts
        self._log = log
        self._dice = dice
        self._read: tuple[bytes, Shadow | None] = (b"", None)
        self._open: set[asyncio.Task[None]] = set()
        self._bytes = 0

    def offer(self, context: RequestContext) -> None:
        """Mirror a request that is over, if it is one to mirror.

        What a cache, stable or nobody has answered says nothing about this model.
        """
        value = context.request.headers.get(_SHADOW_HEADER)
        if value is None or context.via not in _BY_ROUTE:
            return
        good = context.outcome is Outcome.OK and context.status == HTTPStatus.OK and context.answered_by == "model"
        shadow = self._shadow(value)
        if not good or shadow is None or self._dice() >= shadow.share:
            return
        if shadow.candidate != self._counts.candidate:
            self._counts.begin(shadow.candidate)
        size = len(context.request.body) + (len(context.passed.body) if context.passed is not None else 0)
        if len(self._open) >= MOST_OPEN or self._bytes + size > MOST_BYTES:
            self._counts.count(shadow.candidate, Mirrored.DROPPED)
            return
        self._bytes += size
        task = asyncio.get_running_loop().create_task(self._mirror(context, shadow.candidate))
        self._open.add(task)
        task.add_done_callback(partial(self._ended, size))

    def close(self) -> None:
        """Give up what is under way."""
        for task in self._open:
            task.cancel()
        self._client.close()

    def _shadow(self, value: bytes) -> Shadow | None:
        """What a header says; None where this is the candidate itself, as while a gateway changes its mind."""
        if value != self._read[0]:
            self._read = (value, read_shadow(value.decode("latin-1")))
        shadow = self._read[1]
        return None if shadow is None or shadow.candidate == self._revision else shadow

    def _ended(self, size: int, task: asyncio.Task[None]) -> None:
        self._open.discard(task)
        self._bytes -= size
        if not task.cancelled() and (error := task.exception()) is not None:
            LOG.error("a mirrored request crashed", exc_info=error)

    async def _mirror(self, context: RequestContext, candidate: str) -> None:
        loop = asyncio.get_running_loop()
        sent = loop.time()
        try:
            reply = await self._ask(context, sent + self._timeout)
        except (PeerUnreachableError, TimeoutError) as error:
            LOG.debug("request %s was not mirrored: %s", context.request_id, error)
            self._counts.count(candidate, Mirrored.FAILED)
            return
        seconds = loop.time() - sent
        result, answer = await self._compared(context, candidate, reply, seconds)
        self._counts.count(candidate, result)
        if result is Mirrored.DISAGREED and self._counts.results[result] <= EXAMPLES:
            self._log(context, candidate, answer)

    async def _ask(self, context: RequestContext, deadline: float) -> Reply:
        request = context.request
        headers = [
            *((name, request.headers[name]) for name in _PASSED if name in request.headers),
            (VIA_HEADER.lower().encode(), Via.MIRROR.value.encode()),
            (b"x-request-id", context.request_id.encode()),  # by which both records of the prediction log are found
        ]
        path = request.path.decode("latin-1")
        return await self._client.call("POST", path, headers, [request.body], deadline=deadline)

    async def _compared(
        self, context: RequestContext, candidate: str, reply: Reply, seconds: float
    ) -> tuple[Mirrored, object]:
        """What became of a copy that was answered, and the answer where it can be read."""
        if reply.headers.get(b"viridian-revision") != candidate.encode():
            return Mirrored.FAILED, None  # the color is another revision's by now
        if reply.status in _REFUSES:
            return Mirrored.DISAGREED, None
        if reply.status != HTTPStatus.OK:
            return Mirrored.FAILED, None
        size = len(context.request.body) + len(reply.body)
        comparison, given = await aside(size, partial(_compare, context, reply), _THREAD)
        if comparison is None:
            return Mirrored.FAILED, None
        self._counts.compare(candidate, comparison.distance, context.seconds, seconds)
        return (Mirrored.AGREED if comparison.agrees else Mirrored.DISAGREED), given


def _compare(context: RequestContext, reply: Reply) -> tuple[Comparison | None, Any]:
    """The comparison and the candidate's answer; neither where they cannot be read, such as compressed tensors."""
    own, given = _answers(context, reply)
    return (None, None) if own is None or given is None else (compare(own, given), given)


def _answers(context: RequestContext, reply: Reply) -> tuple[Any, Any]:
    """Stable's answer and the candidate's, in the same form; None for what cannot be read."""
    if context.passed is not None:
        given = Response(reply.status, reply.body, headers=tuple(reply.headers.items()))
        return outputs_of(context.request, context.passed), outputs_of(context.request, given)
    try:
        document = msgspec.json.decode(reply.body)
    except msgspec.DecodeError:
        return None, None
    return list(context.predictions), (document.get("predictions") if context.many else [document])
