"""What the API server has of a kind, kept up to date by a watch: to look at it, however often, asks nobody.

The client's own informer makes objects of its models, which takes a hundred times as long, and knows no custom ones.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from tests.waiting import eventually

from .repeated import Repeated


class Watched(Repeated):
    """The objects that a method of a client lists, as the API server writes them, while the `with` block lasts."""

    def __init__(self, ask: Callable[..., Any], *arguments: str) -> None:
        super().__init__(f"watch-of-{'-'.join(arguments) or 'all'}", 0.2, self._follow)
        self._ask = partial(ask, *arguments, _preload_content=False)
        self._found: dict[str, dict[str, Any]] | None = None
        self._stream: Any = None

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The objects as they are, or were a moment ago."""
        return list((self._found or {}).values())

    def start(self) -> None:
        """Begin; in the end there is what was there at the beginning."""
        super().start()
        eventually(self._is_there, f"the first answer to the {self._thread.name}")

    def stop(self) -> None:
        """End the watch, and raise the error that had ended it, if any."""
        self._stop.set()
        if (stream := self._stream) is not None:
            with suppress(ValueError, RuntimeError):  # the API server has just ended it
                stream.shutdown()
        super().stop()

    def _is_there(self) -> bool:
        self.check()
        return self._found is not None

    def _follow(self) -> None:
        """List them, and take in what changes until the API server ends the watch, as it does now and then."""
        listed = json.loads(self._ask().data)
        found = {each["metadata"]["uid"]: each for each in listed["items"]}
        stream = self._ask(watch=True, resource_version=listed["metadata"]["resourceVersion"])
        self._stream, self._found = stream, found
        try:
            for line in () if self._stop.is_set() else stream:
                try:
                    event = json.loads(line)
                except ValueError:
                    if self._stop.is_set():  # a connection that is shut down under its reader may end in rubbish
                        return
                    raise
                if event["type"] == "ERROR":  # it has forgotten what was before
                    return
                if event["type"] == "DELETED":
                    found.pop(event["object"]["metadata"]["uid"], None)
                else:
                    found[event["object"]["metadata"]["uid"]] = event["object"]
        finally:
            self._stream = None
            stream.close()
