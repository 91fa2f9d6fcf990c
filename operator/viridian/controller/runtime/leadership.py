"""One operator of several leads: the Lease is claimed, held on to, and given back."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime

from viridian.kube.client import KubeClient
from viridian.kube.errors import Conflict, KubeError
from viridian.kube.lease import TIMING, Lease, ObservedLease, Timing, claim, epoch_of, holder_of, release, renewal
from viridian.kube.resources import LEASE

from .jobs import end

LOG = logging.getLogger(__name__)

STUCK = 60.0
"""Seconds without a look at the Lease after which the kubelet should restart us; an API that is away is looked at."""


@dataclass
class Term:
    """One time of leading, with a name that no other has, and its end on our own clock unless it is renewed."""

    epoch: str
    until: float
    clock: Callable[[], float]

    def holds(self) -> bool:
        """Whether nobody else can lead yet, by our own clock."""
        return self.clock() < self.until


class Leadership:
    """Campaigns, leads, and campaigns again when the lease is lost."""

    def __init__(
        self,
        client: KubeClient,
        lead: Callable[[Term], Coroutine[None, None, None]],
        lease: tuple[str, str],
        identity: str,
        timing: Timing = TIMING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing runs yet.

        Args:
            client: one that waits no longer for an answer than `timing.request`; it is connected at the start.
            lead: what a leader does, until it is cancelled.
            lease: namespace and name of the Lease.
            identity: our name in it.
            timing: how long it is held, and how often it is looked at.
            clock: a monotonic clock, in seconds.
        """
        self._client, self._lead, self._place, self._identity = client, lead, lease, identity
        self._timing, self._clock = timing, clock
        self._observed = ObservedLease()
        self._held: Lease | None = None
        self._looked = clock()
        self._term: Term | None = None
        self._trouble = ""
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to campaign."""
        await self._client.__aenter__()
        self._task = asyncio.create_task(self.run(), name="leadership")

    async def stop(self) -> None:
        """End what we do as a leader, then give the lease back, so that the next one need not wait."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._client.__aexit__(None, None, None)

    def health(self) -> bool:
        """Whether we lead.

        Raises:
            RuntimeError: nobody looks at the Lease any more.
        """
        if self._task is None or self._task.done() or self._clock() - self._looked > STUCK:
            raise RuntimeError("the Lease is no longer watched")
        return self._term is not None and self._term.holds()

    async def run(self) -> None:
        """Campaign and lead, in turns, until cancelled."""
        try:
            while not self._stopping:
                await self._serve(await self._campaign())
        except Exception:
            LOG.exception("%s can no longer lead or follow, and must be restarted", self._identity)
            raise

    async def _campaign(self) -> Term:
        while True:
            self._looked = self._clock()
            try:
                term = await self._claim()
            except KubeError as error:
                self._note(str(error))
            else:
                self._note("")
                if term is not None:
                    return term
            if self._stopping:  # the cancellation was lost in a request
                raise asyncio.CancelledError
            await asyncio.sleep(self._timing.retry)

    async def _claim(self) -> Term | None:
        """Try to begin a term; None while somebody else leads, or was faster."""
        namespace, name = self._place
        self._observed = self._observed.see(await self._client.get(LEASE, namespace, name), self._clock())
        seen = self._observed.lease
        times = (self._clock(), datetime.now(UTC), self._timing)
        wanted = claim(self._observed, self._place, self._identity, *times, resume=self._term is None)
        if wanted is None:
            return None
        sent = self._clock()
        try:
            self._held = await (self._client.create if seen is None else self._client.replace)(LEASE, wanted)
        except Conflict:
            return None
        return Term(epoch_of(self._held), sent + self._timing.deadline, self._clock)

    async def _serve(self, term: Term) -> None:
        """Lead until the lease is lost, or we are told to stop."""
        LOG.info("%s leads, in term %s", self._identity, term.epoch)
        self._term = term
        work = asyncio.create_task(self._lead(term), name="lead")
        try:
            while True:
                await asyncio.wait({work}, timeout=self._timing.retry)
                if work.done():
                    work.result()
                    raise RuntimeError("leading ended unexpectedly")
                self._looked = self._clock()
                if self._stopping or not term.holds() or not await self._renew(term):
                    break
            LOG.warning("%s no longer leads: the lease was lost or not renewed in time", self._identity)
        finally:
            term.until = float("-inf")
            await end([work])
            await self._release(term)

    async def _renew(self, term: Term) -> bool:
        """Renew the lease; False when it is not ours any more. Where there is no answer, the next try will tell."""
        sent = self._clock()
        try:
            lease = await self._own(term)
            if lease is None:
                return False
            self._held = None  # until the answer is there
            self._held = await self._client.replace(LEASE, renewal(lease, datetime.now(UTC)))
        except KubeError as error:
            self._note(str(error))
        else:
            self._note("")
            term.until = sent + self._timing.deadline
        return True

    async def _release(self, term: Term) -> None:
        try:
            lease = await self._own(term)
            if lease is not None:
                await self._client.replace(LEASE, release(lease, datetime.now(UTC)))
        except KubeError as error:
            LOG.info("the lease was not released, so others wait until it expires: %s", error)
        self._held = None

    async def _own(self, term: Term) -> Lease | None:
        """The Lease as we wrote it last, or as it is if we do not know; None when the term is over."""
        lease = self._held or await self._client.get(LEASE, *self._place)
        if lease is None or holder_of(lease) != self._identity or epoch_of(lease) != term.epoch:
            return None
        return lease

    def _note(self, trouble: str) -> None:
        """Tell the log once why the Lease cannot be read or written."""
        if trouble and trouble != self._trouble:
            LOG.warning("Lease %s/%s: %s; trying again every %g s", *self._place, trouble, self._timing.retry)
        self._trouble = trouble
