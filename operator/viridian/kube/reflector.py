"""Follow all objects of a kind: one list, then one watch, for as long as it runs."""

import asyncio
import logging
from typing import Protocol

from .client import KubeClient, Manifest
from .errors import Expired, KubeError, Unavailable
from .resources import Kind

_log = logging.getLogger(__name__)

WATCH_SECONDS = 300
"""How long one watch lasts; the next one goes on where it ended."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 8.0
"""Seconds before another try after an error, doubled from one error to the next."""

Name = tuple[str, str]
"""Namespace and name of an object."""


class Follower(Protocol):
    """Who is told. Both are called with whole manifests, of which the follower keeps what it needs."""

    def saw(self, manifest: Manifest) -> None:
        """An object is there, or has changed."""

    def lost(self, name: Name) -> None:
        """An object is gone."""

    def names(self, namespace: str) -> set[Name]:
        """The objects that the follower believes to be there: in one namespace, or (empty) in all."""


class Reflector:
    """Keeps a follower up to date about the objects with some labels, through any trouble of the API."""

    def __init__(self, client: KubeClient, kind: Kind, namespace: str, selector: str, follower: Follower) -> None:
        """Prepare; an empty namespace means all of them."""
        self._client, self._kind, self._namespace, self._selector = client, kind, namespace, selector
        self._follower = follower
        self._pause, self._seen = FIRST_PAUSE, ""
        self.synced = asyncio.Event()
        """Set once the follower has been told of everything that is there."""

    async def run(self) -> None:
        """List and watch until cancelled."""
        version = ""
        while True:
            try:
                if not version:
                    version = await self._list()
                    self.synced.set()
                version = await self._follow(version)
            except Expired:
                version = ""  # what was deleted meanwhile is told by the new list
            except KubeError as error:
                # A broken watch goes on where it was; whatever else the API says, a new list puts right.
                version = self._seen if isinstance(error, Unavailable) else ""
                _log.warning("following %s: %s; again in %.1f s", self._kind.plural, error, self._pause)
                await self._wait()
            except Exception:  # noqa: BLE001 - nobody would see Deployments any more
                version = ""
                _log.exception("following %s failed; again in %.1f s", self._kind.plural, self._pause)
                await self._wait()

    async def _wait(self) -> None:
        await asyncio.sleep(self._pause)
        self._pause = min(LONGEST_PAUSE, 2 * self._pause)

    async def _list(self) -> str:
        self._seen = ""
        there: set[Name] = set()
        version = ""
        async for page in self._client.pages(self._kind, self._namespace, self._selector):
            version = page.version
            for manifest in page.items:
                there.add(_name(manifest))
                self._follower.saw(manifest)
        for name in self._follower.names(self._namespace) - there:
            self._follower.lost(name)
        self._pause = FIRST_PAUSE
        return version

    async def _follow(self, version: str) -> str:
        self._seen = version
        events = self._client.watch(self._kind, self._namespace, self._selector, version, WATCH_SECONDS)
        async for kind, manifest in events:
            self._seen = manifest["metadata"]["resourceVersion"]
            self._pause = FIRST_PAUSE
            if kind == "DELETED":
                self._follower.lost(_name(manifest))
            elif kind != "BOOKMARK":
                self._follower.saw(manifest)
        return self._seen


def _name(manifest: Manifest) -> Name:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]
