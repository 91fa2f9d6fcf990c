"""Which notifications were delivered or given up: a small ConfigMap, so that a new leader does not send them again."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from viridian.kube.client import KubeClient
from viridian.kube.errors import Conflict, KubeError
from viridian.kube.resources import CONFIG_MAP

LOG = logging.getLogger(__name__)

KEPT = timedelta(hours=2)
"""How long an entry is kept: longer than a notification can be tried."""
MOST = 4000
"""Entries that are kept at most, of 50 bytes each."""
PERIOD = 1.0
"""Seconds between two writes."""


class Ledger:
    """What was settled, in memory and in the ConfigMap."""

    def __init__(self, client: KubeClient, namespace: str, name: str) -> None:
        """Use the ConfigMap of this name; it is made with the first entry."""
        self._client, self._place = client, (namespace, name)
        self._entries: dict[str, str] = {}
        self._changed = asyncio.Event()

    def __contains__(self, entry: str) -> bool:
        """Whether a delivery was settled."""
        return entry in self._entries

    def add(self, entry: str) -> None:
        """A delivery was settled; it is written down with the next write."""
        self._entries[entry] = datetime.now(UTC).isoformat(timespec="seconds")
        self._changed.set()

    async def load(self) -> None:
        """Read what earlier leaders have settled.

        Raises:
            KubeError: the API refuses or does not answer.
        """
        found = await self._client.get(CONFIG_MAP, *self._place)
        if found is not None:
            self._entries = {**(found.get("data") or {}), **self._entries}

    async def run(self) -> None:
        """Write entries down until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._write()
            except KubeError as error:
                self._changed.set()
                if not isinstance(error, Conflict):
                    LOG.warning("ConfigMap %s/%s: %s; a new leader would notify again", *self._place, error)
            await asyncio.sleep(PERIOD)

    async def _write(self) -> None:
        namespace, name = self._place
        live = await self._client.get(CONFIG_MAP, namespace, name)
        oldest = (datetime.now(UTC) - KEPT).isoformat(timespec="seconds")
        merged = {**((live or {}).get("data") or {}), **self._entries}
        recent = sorted(((at, entry) for entry, at in merged.items() if at >= oldest), reverse=True)[:MOST]
        self._entries = {entry: at for at, entry in recent}
        if live is not None:
            await self._client.replace(CONFIG_MAP, {**live, "data": dict(self._entries)})
            return
        metadata = {"name": name, "namespace": namespace}
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(self._entries)}
        await self._client.create(CONFIG_MAP, manifest)
