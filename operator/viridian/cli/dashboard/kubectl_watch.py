"""Follow the models of a cluster by kubectl's own watch, with the user's kubeconfig."""

import asyncio
import json
from typing import Final

from viridian.api.names import GROUP, PLURAL, VERSION
from viridian.cli.kubectl import Kubectl, KubectlFailed

from .feed import Feed

_PAUSE: Final = 2.0
"""Seconds before a watch that ended is begun again."""
_LONGEST_LINE: Final = 4 * 1024 * 1024
"""Bytes of one event; an object in etcd is smaller."""


class KubectlWatch:
    """Keeps a feed up to date."""

    def __init__(self, feed: Feed, kubectl: Kubectl, *, everywhere: bool) -> None:
        self._feed, self._kubectl = feed, kubectl
        self._scope = "" if everywhere else f"/namespaces/{kubectl.own_namespace()}"

    async def run(self) -> None:
        """Follow the cluster until cancelled; a watch that ends is begun again."""
        while True:
            try:
                await self._watch()
                self._feed.say("the connection to the cluster ended and is being made again")
            except (KubectlFailed, json.JSONDecodeError) as error:
                self._feed.say(f"kubectl failed and is tried again: {error}")
            await asyncio.sleep(_PAUSE)

    async def _watch(self) -> None:
        """List, and watch from there on, until the connection ends."""
        path = f"/apis/{GROUP}/{VERSION}{self._scope}/{PLURAL}"
        listed = await asyncio.to_thread(self._kubectl.raw, path)
        there = {self._feed.keep(item) for item in listed["items"]}
        for gone in self._feed.models.keys() - there:
            self._feed.forget(gone)
        self._feed.say("")
        seen = listed["metadata"]["resourceVersion"]
        process = await asyncio.create_subprocess_exec(
            *self._kubectl.command(("get", "--raw", f"{path}?watch=true&resourceVersion={seen}")),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LONGEST_LINE,
        )
        try:
            while line := await process.stdout.readline() if process.stdout else b"":
                if line.endswith(b"\n"):  # each event is a line; one that is cut off comes again
                    self._take(json.loads(line))
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    def _take(self, event: dict[str, object]) -> None:
        found = event.get("object")
        if not isinstance(found, dict) or event.get("type") not in {"ADDED", "MODIFIED", "DELETED"}:
            raise KubectlFailed(f"the watch said {event.get('type')}: {str(found)[:200]}")
        name = self._feed.keep(found)
        if event["type"] == "DELETED":
            self._feed.forget(name)
