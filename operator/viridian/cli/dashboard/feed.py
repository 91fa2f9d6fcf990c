"""The models of the cluster as kubectl's watch tells of them, and who is waiting for changes."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from viridian.api.names import GROUP, PLURAL, VERSION
from viridian.cli.kubectl import Kubectl, KubectlFailed
from viridian.cli.model import Model

from .record import Record
from .view import key

LOG: Final = logging.getLogger(__name__)
_PAUSE: Final = 2.0
"""Seconds before a watch that ended is begun again."""
_LONGEST_LINE: Final = 4 * 1024 * 1024
"""Bytes of one event; an object in etcd is smaller."""


class Changes:
    """What has changed since a listener looked last: at most every model once, however slow the listener is."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._woken = asyncio.Event()

    def add(self, changed: str) -> None:
        """Note that this model has changed or is gone; the empty key stands for the connection."""
        self._keys.add(changed)
        self._woken.set()

    async def next(self) -> set[str]:
        """Wait for changes, and return their keys."""
        await self._woken.wait()
        keys, self._keys = self._keys, set()
        self._woken.clear()
        return keys


class Feed:
    """The models, kept up to date by `run`."""

    def __init__(self, kubectl: Kubectl, *, everywhere: bool, clock: Callable[[], datetime] | None = None) -> None:
        self._kubectl = kubectl
        self._scope = "" if everywhere else f"/namespaces/{kubectl.own_namespace()}"
        self._clock = clock or (lambda: datetime.now(UTC))
        self._listeners: set[Changes] = set()
        self.models: dict[str, Model] = {}
        self.records: dict[str, Record] = {}
        self.trouble = "the list of models is being read"
        """Why what is shown may be old; empty while the watch runs."""

    @contextmanager
    def changes(self) -> Iterator[Changes]:
        """Listen to changes."""
        listener = Changes()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    async def run(self) -> None:
        """Follow the cluster until cancelled; a watch that ends is begun again."""
        while True:
            try:
                await self._watch()
                self._say("the connection to the cluster ended and is being made again")
            except (KubectlFailed, json.JSONDecodeError) as error:
                self._say(f"kubectl failed and is tried again: {error}")
            await asyncio.sleep(_PAUSE)

    async def _watch(self) -> None:
        """List, and watch from there on, until the connection ends."""
        path = f"/apis/{GROUP}/{VERSION}{self._scope}/{PLURAL}"
        listed = await asyncio.to_thread(self._kubectl.raw, path)
        models = [Model(item) for item in listed["items"]]
        for gone in self.models.keys() - {key(model) for model in models}:
            self._forget(gone)
        for model in models:
            self._keep(model)
        self._say("")
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
        model = Model(found)
        if event["type"] == "DELETED":
            self._forget(key(model))
        else:
            self._keep(model)

    def _keep(self, model: Model) -> None:
        name = key(model)
        before = self.models.get(name)
        if before is not None and before.manifest == model.manifest:
            return
        self.models[name] = model
        self.records.setdefault(name, Record()).observe(model, self._clock())
        self._tell(name)

    def _forget(self, name: str) -> None:
        self.models.pop(name, None)
        self.records.pop(name, None)
        self._tell(name)

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            LOG.warning("%s", trouble)
        self.trouble = trouble
        self._tell("")

    def _tell(self, changed: str) -> None:
        for listener in self._listeners:
            listener.add(changed)
