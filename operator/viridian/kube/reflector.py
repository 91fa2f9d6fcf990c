"""Follow all objects of a kind: one list, then one watch, for as long as it runs."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from .backoff import Backoff
from .client import KubeClient, Manifest
from .errors import Expired, KubeError, Unavailable
from .resources import Kind

LOG = logging.getLogger(__name__)

WATCH_SECONDS = 300
"""How long one watch lasts; the next one goes on where it ended."""
BACKOFF = Backoff(first=0.2, longest=8.0)
"""Before another try after an error."""
LASTED = 1.0
"""Seconds after which a watch that ended without an event is taken for one that worked."""
GRACE = 30.0
"""Seconds that a list may be denied until nobody waits for it any more: a Role may be in the making."""

Name = tuple[str, str]
"""Namespace and name of an object."""


class Follower(Protocol):
    """The callbacks. Both are called with whole manifests, of which the handler keeps what it needs."""

    def on_upsert(self, manifest: Manifest) -> None:
        """An object is there, or has changed."""

    def on_delete(self, name: Name) -> None:
        """An object is gone."""

    def names(self, namespace: str) -> set[Name]:
        """The objects that the follower believes to be there: in one namespace, or (empty) in all."""


def is_denied(error: KubeError) -> bool:
    """Whether the API will not let us read there at all: no right to it, or no such kind."""
    return error.status in {403, 404}


class Reflector:
    """Keeps a follower up to date about the objects with some labels, through any trouble of the API."""

    def __init__(
        self,
        client: KubeClient,
        kind: Kind,
        namespace: str,
        selector: str,
        follower: Follower,
        restarted: Callable[[str], None] = lambda _plural: None,
        told: Callable[[str], None] = lambda _trouble: None,
    ) -> None:
        """Prepare; an empty namespace means all of them.

        `restarted` is called when an error ended the watch, `told` with what keeps the follower from being up to date,
        and with nothing once it is again.
        """
        self._restarted, self._told = restarted, told
        self._client, self._kind, self._namespace, self._selector = client, kind, namespace, selector
        self._follower = follower
        self._failures, self._seen, self._trouble = 0, "", ""
        self._denied_since: float | None = None
        self.synced = asyncio.Event()
        """Set once the follower has been told of everything that is there, or that was denied for too long."""

    async def run(self) -> None:
        """List and watch until cancelled."""
        version = ""
        while True:
            try:
                if not version:
                    version = await self._list()
                    self.synced.set()
                    self._told("")
                version = await self._follow(version)
            except Expired:
                version = ""  # the new list shows what was deleted meanwhile
                await self._wait()
            except KubeError as error:
                # A broken watch goes on where it was; whatever else the API says, a new list puts right.
                version = self._seen if isinstance(error, Unavailable) else ""
                self._give_up_if_denied(error)
                await self._wait(str(error))
            except Exception:  # nobody would see Deployments any more
                version = ""
                LOG.exception("following %s failed; it begins again", self._what)
                await self._wait()

    @property
    def _what(self) -> str:
        return f"{self._kind.plural} in {self._namespace or 'all namespaces'}"

    def _give_up_if_denied(self, error: KubeError) -> None:
        """Let nobody wait for ever for what may not be read; it is tried again all the same."""
        now = asyncio.get_running_loop().time()
        if not is_denied(error):
            self._denied_since = None
        elif self._denied_since is None:
            self._denied_since = now
        elif now - self._denied_since >= GRACE:
            self.synced.set()

    def _note(self, trouble: str, pause: float) -> None:
        """Tell the log once of each trouble, however long it lasts."""
        level = logging.DEBUG if trouble == self._trouble else logging.WARNING
        LOG.log(level, "following %s: %s; again in %.1f s", self._what, trouble, pause)
        self._trouble = trouble
        self._told(f"following {self._what}: {trouble}")

    def _works(self) -> None:
        if self._trouble:
            self._told("")
        self._failures, self._trouble = 0, ""

    async def _wait(self, trouble: str = "") -> None:
        self._failures += 1
        self._restarted(self._kind.plural)
        pause = BACKOFF.pause(self._failures)
        if trouble:
            self._note(trouble, pause)
        await asyncio.sleep(pause)

    async def _list(self) -> str:
        self._seen = ""
        there: set[Name] = set()
        version = ""
        async for page in self._client.pages(self._kind, self._namespace, self._selector):
            version = page.version
            for manifest in page.items:
                there.add(_name(manifest))
                self._follower.on_upsert(manifest)
        for name in self._follower.names(self._namespace) - there:
            self._follower.on_delete(name)
        return version

    async def _follow(self, version: str) -> str:
        self._seen = version
        clock, told = asyncio.get_running_loop().time, False
        begun = clock()
        events = self._client.watch(self._kind, self._namespace, self._selector, version, WATCH_SECONDS)
        async for kind, manifest in events:
            if kind == "DELETED":
                self._follower.on_delete(_name(manifest))
            elif kind != "BOOKMARK":
                self._follower.on_upsert(manifest)
            self._seen, told = manifest["metadata"]["resourceVersion"], True
            self._works()
        if not told and clock() - begun < LASTED:
            raise Unavailable(503, "the watch ended at once")
        self._works()
        return self._seen


def _name(manifest: Manifest) -> Name:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]
