"""Who is stable: what the Service NAME leads to, asked again and again.

A pod is not told its role, since a role moves without any pod being changed. It asks the Service that always leads to
the stable revision, on a new connection each time: an open one stays at the pod where it was opened.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from viridian_serving.contract.compatibility import ITSELF, UNKNOWN, UNREACHABLE, UNWELL, Coverage, Interface, coverage
from viridian_serving.http1.client import HttpClient, PeerUnreachableError

LOG = logging.getLogger("viridian.api")

PERIOD: Final = 2.0
"""Seconds between two looks."""
_PATIENCE: Final = 1.0
"""Seconds for one answer."""
FORGET_AFTER: Final = 3 * (PERIOD + _PATIENCE)
"""Seconds for which an answer is believed when none follows: a lost packet must not cost a client its rescue."""


class Surface(StrEnum):
    """By which interface a request came."""

    PREDICT = "predict"
    INFER = "infer"

    @classmethod
    def of(cls, path: bytes) -> "Surface":
        """Return it from the path of an inference."""
        return cls.PREDICT if path == b"/predict" else cls.INFER


@dataclass(frozen=True, slots=True)
class Named:
    """The revision that the Service leads to."""

    revision: str
    interface: Interface
    """What it takes and gives; as good as none while its pod does not know."""
    serving: bool
    """Whether its pod says that it is well."""


class StableView:
    """What this pod knows of stable. The time comes as an argument, in seconds of any clock that only goes forward."""

    def __init__(self, revision: str) -> None:
        """Know nothing.

        Args:
            revision: This pod's own.
        """
        self._revision = revision
        self._own: Interface | None = None
        self._named: Named | None = None
        self._asked = False
        self._learned = 0.0
        self._was_own = False
        self._compared = UNKNOWN

    @property
    def named(self) -> Named | None:
        """The revision behind the Service when it last answered."""
        return self._named

    @property
    def moved(self) -> bool:
        """Whether the Service once selected this revision and now selects another: its callers must follow it."""
        return self._was_own and self._named is not None and self._named.revision != self._revision

    def begin(self, own: Interface) -> None:
        """Set what this pod takes and gives, once its model is loaded."""
        self._own = own
        self._compare()

    def learn(self, named: Named, now: float) -> None:
        """Record an answer."""
        changed = named != self._named
        self._named, self._learned, self._asked = named, now, True
        self._was_own = self._was_own or named.revision == self._revision
        if changed:
            self._compare()

    def miss(self) -> None:
        """Record that there was no answer."""
        self._asked = True

    def coverage(self, now: float) -> Coverage:
        """Return what stable can answer instead of this pod.

        Args:
            now: The time.
        """
        if self._own is None or not self._asked:
            return UNKNOWN
        if self._named is None or now - self._learned > FORGET_AFTER:
            return UNREACHABLE
        if self._named.revision == self._revision:
            return ITSELF
        return self._compared if self._named.serving else UNWELL

    def fallback_for(self, surface: Surface, now: float) -> str | None:
        """Return who may answer a request instead of this pod.

        Args:
            surface: How the request came.
            now: The time.

        Returns:
            The stable revision, if it is another one, serves, and may take this; else None.
        """
        covered = self.coverage(now)
        can = covered.predict if surface is Surface.PREDICT else covered.infer
        return self._named.revision if can and self._named is not None else None

    def _compare(self) -> None:
        if self._own is not None and self._named is not None:
            self._compared = coverage(self._own, self._named.interface)


class _Health(msgspec.Struct):
    """The part of an answer of ``/health`` that matters here, whichever image gives it."""

    status: str
    model: str
    revision: str
    input_schema: str | None = None


def read_health(body: bytes, model: str) -> Named:
    """Read an answer of ``/health``.

    Args:
        body: JSON.
        model: The model that must answer.

    Returns:
        What it says.

    Raises:
        ValueError: It is no such answer, or another model's.
    """
    try:
        health = msgspec.json.decode(body, type=_Health)
    except msgspec.DecodeError as error:
        raise ValueError(f"the answer is not that of a serving pod: {error}") from error
    if health.model != model:
        raise ValueError(f"model {health.model!r} answered instead of {model!r}")
    try:
        interface = msgspec.json.decode(body, type=Interface)
    except msgspec.DecodeError:  # of another image, or of a pod whose model is not loaded yet: both say null
        interface = Interface(health.input_schema)
    return Named(health.revision, interface, health.status == "ok")


class StablePoller:
    """Keeps a view up to date."""

    def __init__(self, client: HttpClient, view: StableView, model: str, on_change: Callable[[], None]) -> None:
        """Prepare.

        Args:
            client: The way to the Service, with a connection for each call.
            view: Gets every answer.
            model: The name of the model.
            on_change: Called when the Service leads to another revision than before.
        """
        self._client = client
        self._view = view
        self._model = model
        self._on_change = on_change
        self._trouble: str | None = None

    async def run(self) -> None:
        """Look for ever."""
        # Pods that were started together must not ask together.
        await asyncio.sleep(random.uniform(0, PERIOD / 10))  # noqa: S311  no secret
        while True:
            await self.look()
            await asyncio.sleep(PERIOD)

    async def look(self) -> None:
        """Ask once."""
        loop = asyncio.get_running_loop()
        before = self._view.named
        try:
            reply = await self._client.call("GET", "/health", deadline=loop.time() + _PATIENCE)
            named = read_health(reply.body, self._model)
        except (PeerUnreachableError, TimeoutError, ValueError) as error:
            self._view.miss()
            self._troubled(str(error) or f"no answer within {_PATIENCE:g} s")
            return
        self._troubled(None)
        self._view.learn(named, loop.time())
        if before is None or before.revision != named.revision:
            LOG.info("the stable revision is %s", named.revision)
            self._on_change()

    def _troubled(self, trouble: str | None) -> None:
        # Said when it changes, not every two seconds: a first revision has no stable one for a long time.
        if trouble is not None and self._trouble is None:
            LOG.info("the stable revision is unknown: %s", trouble)
        self._trouble = trouble
