"""Work beside a test, done again and again: what a kubelet, a scheduler or users would do."""

import threading
from collections.abc import Callable
from typing import Self

from kubernetes import client
from urllib3.exceptions import HTTPError

_PASSING = {
    404,  # the namespace of a test, or a pod, is just going away
    409,  # somebody else was quicker, or another pod has the name by now
    429,
}


class Repeated:
    """Calls a function again and again in a thread, from `start` to `stop` or for as long as a `with` block lasts.

    An API server that is just busy is no end of it: the function is called again. Any other error is the end, and is
    raised by `check` and `stop`, where a test sees it.

    Attributes:
        period: Seconds between two calls.
    """

    def __init__(self, name: str, period: float, work: Callable[[], None], *needs: "Repeated") -> None:
        """Prepare to call `work`, which needs what others do: they begin before and end after it."""
        self.period, self._work, self._needs = period, work, needs
        self._error: Exception | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin."""
        for other in self._needs:
            other.start()
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and raise the error that had ended it, if any."""
        self._stop.set()
        self._thread.join()
        for other in self._needs:
            other.stop()
        self.check()

    def check(self) -> None:
        """Raise the error that ended the thread, if any."""
        for other in self._needs:
            other.check()
        if self._error:
            raise RuntimeError(f"the thread {self._thread.name} has ended") from self._error

    def _run(self) -> None:
        while not self._stop.wait(self.period):
            try:
                self._work()
            except Exception as error:  # noqa: BLE001 - it is raised where a test sees it
                if not _passes(error):
                    self._error = error
                    return


def _passes(error: Exception) -> bool:
    """Whether the next try may go well."""
    if isinstance(error, client.ApiException):
        return error.status in _PASSING or error.status >= 500
    return isinstance(error, HTTPError)
