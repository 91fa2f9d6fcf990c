"""The models that the page shows, as whoever follows the cluster tells of them, and who is waiting for changes."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from viridian.cli.model import Json, Model

from .record import Record
from .view import key

LOG: Final = logging.getLogger(__name__)


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
    """The models, kept up to date by `keep` and `forget`."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._listeners: set[Changes] = set()
        self.models: dict[str, Model] = {}
        self.records: dict[str, Record] = {}
        self.trouble = "the list of models is being read"
        """Why what is shown may be old; empty while the cluster is followed."""

    @contextmanager
    def changes(self) -> Iterator[Changes]:
        """Listen to changes."""
        listener = Changes()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def keep(self, manifest: Json) -> str:
        """Note a model as it is now, and return its key."""
        model = Model(manifest)
        name = key(model)
        before = self.models.get(name)
        if before is None or before.manifest != model.manifest:
            self.models[name] = model
            self.records.setdefault(name, Record()).observe(model, self._clock())
            self._tell(name)
        return name

    def forget(self, name: str) -> None:
        """Note that a model is gone, by its key."""
        self.models.pop(name, None)
        self.records.pop(name, None)
        self._tell(name)

    def say(self, trouble: str) -> None:
        """Note what keeps the models from being followed; nothing once they are."""
        if trouble and trouble != self.trouble:
            LOG.warning("%s", trouble)
        self.trouble = trouble
        self._tell("")

    def _tell(self, changed: str) -> None:
        for listener in self._listeners:
            listener.add(changed)
