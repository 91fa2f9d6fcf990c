"""A request that this pod's model fails is answered by the stable revision, and counted against this one.

A new model that fails thus costs its users nothing while the guards count what it does. Four things keep the help from
doing harm:

- What counts is settled by this pod's own model. Stable's answer tells one thing about it: a failure that stable gives
  on the same input is the input's, and counts against neither revision (``witness.py``). A request that stable
  answered because the model was slow goes on here, unseen, until its own outcome is known: otherwise a candidate would
  be blamed for what stable is forgiven.
- Stable is asked once, on the port where nothing is ever passed on. No header, forged or not, can make a loop.
- A model that is slow, but works, may send stable only a share of its requests: to double the load when both are slow
  would bring down the one that works. A model that answers nobody takes no capacity from anybody: what it was given is
  what stable carried before.
- The stable pod turns such requests away before it turns away its own.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol

from viridian_serving.api.api_keys import HEADERS as KEY_HEADERS
from viridian_serving.api.client_timeout import TIMEOUT_MS, client_timeout
from viridian_serving.api.stable import Surface
from viridian_serving.http1.client import HttpClient, PeerUnreachableError, Reply
from viridian_serving.http1.messages import Headers, Request, Response
from viridian_serving.inference.deaths import DIED, GIVEN_UP, UNREACHABLE
from viridian_serving.inference.request_context import RequestContext
from viridian_serving.inference.witness import Witness, fails_on_input
from viridian_serving.metrics.guard_counters import FallbackReason, FrozenCounters
from viridian_shared.counts.outcome import Outcome
from viridian_shared.counts.via import HEADER, Via

LOG = logging.getLogger("viridian.api")

_SHORTEST_DEFAULT: Final = 1.0
_TRIALS: Final = 20.0
SLOW_SHARE: Final = 0.1
"""Requests that may be passed to stable because the model is slow, as a share of all."""
_SLOW_BURST: Final = 20.0
"""How many of them may come together."""
_MOST_ASKED: Final = 256
"""Requests at stable at the same time, from this pod. Above it stable is in trouble too."""
_MOST_MEASURED: Final = 256
_MOST_MEASURED_BYTES: Final = 64 * 1024 * 1024
"""Requests, and bytes of their bodies, that are kept here after stable has answered them; the oldest is given up, as an
error."""
_LEAST_TIME: Final = 0.05
"""Seconds that must be left of a request's time for stable to be asked."""
KEEP: Final = 2.0
"""Seconds for which a connection to stable is used: what the name leads to moves, and load must spread anew."""

_NOT_HANDED_ON: Final = frozenset({"queue-full", "no-room", DIED, GIVEN_UP})

_REQUEST_HEADERS: Final = (
    b"content-type",
    b"content-encoding",
    b"accept-encoding",
    b"inference-header-content-length",
    b"triton-request-id",
    *KEY_HEADERS,  # stable asks the same client for its key
)
_TRACE_HEADERS: Final = (b"traceparent", b"tracestate")
_RESPONSE_HEADERS: Final = (
    (b"inference-header-content-length", b"Inference-Header-Content-Length"),
    (b"content-encoding", b"Content-Encoding"),
    (b"viridian-revision", b"Viridian-Revision"),
    (b"viridian-version", b"Viridian-Version"),
)
MARK: Final = (b"Viridian-Fallback", b"stable")
"""On an answer that stable gave."""


def default_after(timeout: float, trial: float | None = None) -> float:
    """Return how long a model may take before stable is asked too, where the user does not say.

    Args:
        timeout: Seconds that a request may take.
        trial: Seconds that the trial inference took, which tells a slow model from one that hangs.

    Returns:
        Seconds.
    """
    longest = timeout / 2
    return longest if trial is None else min(longest, max(_SHORTEST_DEFAULT, _TRIALS * trial))


class ShareBudget:
    """Allows a share of the events that are counted, and a few at once. It needs no clock: load itself fills it."""

    def __init__(self, share: float, burst: float) -> None:
        self._share = share
        self._burst = burst
        self._tokens = burst

    def earn(self) -> None:
        """Count one event."""
        self._tokens = min(self._burst, self._tokens + self._share)

    def spend(self) -> bool:
        """Take one of the allowed ones, if there is one left."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def reason_of(response: Response) -> FallbackReason | None:
    """Return why stable should answer instead, if it should.

    Not for what is the client's affair, not for a full queue or full memory, since load that is too much here is not
    stable's to carry, and not for a request under which Triton ended: stable's would end next.

    Args:
        response: This pod's own.

    Returns:
        The reason, or None when the response stands.
    """
    if response.status < 500 or response.problem in _NOT_HANDED_ON:
        return None
    return FallbackReason.UNREACHABLE if response.problem in (UNREACHABLE, "starting") else FallbackReason.ERROR


@dataclass(frozen=True, slots=True, eq=False)
class _FallbackRequest:
    """A request that stable may be asked to answer."""

    context: RequestContext
    deadline: float
    """On the event loop's clock, in seconds."""

    @property
    def request(self) -> Request:
        return self.context.request

    @property
    def request_id(self) -> str:
        return self.context.request_id

    @property
    def path(self) -> str:
        return self.request.path.decode("latin-1")

    def headers(self, left: float, trace: Headers | None) -> list[tuple[bytes, bytes]]:
        """Return the headers of the request to stable, with the seconds that it has left.

        Args:
            left: Seconds.
            trace: How the request is traced from here; None leaves it as it came.
        """
        given = self.request.headers
        if trace is None:
            trace = tuple((name, given[name]) for name in _TRACE_HEADERS if name in given)
        return [
            *((name, given[name]) for name in _REQUEST_HEADERS if name in given),
            *trace,
            (HEADER.lower().encode(), Via.FALLBACK.value.encode()),
            (TIMEOUT_MS, b"%d" % (left * 1000)),
            (b"x-request-id", self.request_id.encode()),
        ]

    def response(self, reply: Reply) -> Response:
        """Return the client's answer: stable's, marked."""
        passed = [(shown, reply.headers[name]) for name, shown in _RESPONSE_HEADERS if name in reply.headers]
        content_type = reply.headers.get(b"content-type", b"application/json")
        # Not to be kept: the next answer to the same question is this pod's own again.
        marks = ((b"X-Request-Id", self.request_id.encode()), MARK, (b"Cache-Control", b"no-store"))
        return Response(reply.status, reply.body, content_type, (*passed, *marks))


class TracedCall(Protocol):
    """A call to stable that is part of a trace."""

    headers: Headers
    """By which stable continues it."""

    def end(self) -> None:
        """Record that it has ended."""
        ...


class Fallback:
    """Gives requests a second chance."""

    def __init__(
        self,
        client: HttpClient,
        stable: Callable[[Surface], str | None],
        after: float,
        counters: FrozenCounters,
        trace: "Callable[[RequestContext, FallbackReason], TracedCall] | None" = None,
    ) -> None:
        """Prepare.

        Args:
            client: The way to the Service that leads to stable.
            stable: Tells the revision that may help with what came so; None when none may.
            after: Seconds after which the model has not answered in time.
            counters: Where rescues are counted.
            trace: Begins the trace of a call to stable; None when nobody traces.
        """
        self._client = client
        self._stable = stable
        self.after = after
        self._counters = counters
        self._trace = trace
        self._slow = ShareBudget(SLOW_SHARE, _SLOW_BURST)
        self._asked = 0
        self._measured: dict[asyncio.Task[Response], int] = {}
        self._measured_bytes = 0
        self._last_good = 0.0

    @property
    def usable(self) -> bool:
        """Whether stable could help now, with any request."""
        return any(self._stable(surface) is not None for surface in Surface)

    def can_help(self, request: Request) -> bool:
        """Whether stable could help with this request."""
        return self._stable(Surface.of(request.path)) is not None

    async def answer(
        self,
        context: RequestContext,
        deadline: float,
        own: Coroutine[Any, Any, Response],
    ) -> Response:
        """Answer a request, by this pod's model or else by stable.

        Args:
            context: A request that came by the route. Its demand is abandoned when stable has answered while the model
                still works.
            deadline: On the event loop's clock, in seconds.
            own: Answers it here, and counts the outcome before it returns.

        Returns:
            The answer.
        """
        self._slow.earn()
        task = asyncio.get_running_loop().create_task(own)
        task.add_done_callback(self._own_is_known)
        asked = _FallbackRequest(context, deadline)
        witness = context.witness = Witness()
        try:
            late = await self._why_late(task, asked)
            if late is not None:
                return await self._hedge(task, asked, late)
            response = await task
            reason = reason_of(response)
            if reason is None or context.request.gone:
                return response
            return await self._ask(asked, reason) or response
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            witness.say(Outcome.ERROR)  # where stable has not said otherwise

    async def _why_late(self, own: "asyncio.Task[Response]", asked: "_FallbackRequest") -> FallbackReason | None:
        """Wait for the model as long as it may take; tell why to ask stable then, or None once there is an answer."""
        after, given = self.after, client_timeout(asked.request)
        if given is not None:  # half of a hurried client's time is stable's
            after = min(after, given / 2)
        wait = after - (time.perf_counter() - asked.request.received)
        while True:
            await asyncio.wait((own,), timeout=max(0.0, wait))
            if own.done():
                return None
            if time.perf_counter() - self._last_good >= after:
                return FallbackReason.HUNG
            if self._slow.spend():
                return FallbackReason.SLOW
            wait = max(after, _LEAST_TIME)

    async def _hedge(
        self, own: "asyncio.Task[Response]", asked: "_FallbackRequest", reason: FallbackReason
    ) -> Response:
        """Let the model and stable both try; the first good answer is taken."""
        hedge = asyncio.get_running_loop().create_task(self._ask(asked, reason))
        try:
            await asyncio.wait((own, hedge), return_when=asyncio.FIRST_COMPLETED)
            if own.done() and not own.cancelled() and reason_of(own.result()) is None:
                return own.result()
            rescued = await hedge
        finally:
            hedge.cancel()
        if rescued is None:
            return await own
        if not own.done():
            asked.context.demand.abandoned = True
            self._measure(own, len(asked.request.body))
        return rescued

    def _measure(self, own: "asyncio.Task[Response]", size: int) -> None:
        self._measured[own] = size
        self._measured_bytes += size
        while len(self._measured) > _MOST_MEASURED or self._measured_bytes > _MOST_MEASURED_BYTES:
            oldest = next(iter(self._measured))
            self._forget(oldest)
            oldest.cancel()

    def _forget(self, own: "asyncio.Task[Response]") -> None:
        self._measured_bytes -= self._measured.pop(own, 0)

    def _own_is_known(self, own: "asyncio.Task[Response]") -> None:
        self._forget(own)
        if not own.cancelled() and own.exception() is None and own.result().status < 400:
            self._last_good = time.perf_counter()

    async def _ask(self, asked: "_FallbackRequest", reason: FallbackReason) -> Response | None:
        """Ask stable once.

        Returns:
            Its answer, or None when it gave none that helps.
        """
        stable = self._stable(Surface.of(asked.request.path))
        left = asked.deadline - asyncio.get_running_loop().time()
        if stable is None or left < _LEAST_TIME or self._asked >= _MOST_ASKED:
            self._count(reason, answered=False)
            return None
        self._asked += 1
        traced = self._trace(asked.context, reason) if self._trace is not None else None
        try:
            headers = asked.headers(left, traced.headers if traced is not None else None)
            reply = await self._client.call("POST", asked.path, headers, [asked.request.body], deadline=asked.deadline)
        except (PeerUnreachableError, TimeoutError) as error:
            LOG.warning("request %s: stable could not answer: %s", asked.request_id, str(error) or "no answer in time")
            self._count(reason, answered=False)
            return None
        finally:
            self._asked -= 1
            if traced is not None:
                traced.end()
        # The name may lead elsewhere since it was last looked at. What another revision takes is not known.
        is_stable = reply.headers.get(b"viridian-revision") == stable.encode()
        helped = reply.status < 300 and is_stable
        if is_stable and fails_on_input(reply.status) and asked.context.witness is not None:
            asked.context.witness.say(Outcome.UNJUDGED)
        self._count(reason, answered=helped)
        if not helped:
            LOG.warning("request %s: stable could not answer: it answered %s", asked.request_id, reply.status)
            return None
        return asked.response(reply)

    def _count(self, reason: FallbackReason, *, answered: bool) -> None:
        self._counters.count_fallback(reason, answered=answered, now_ns=time.time_ns())
