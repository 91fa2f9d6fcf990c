"""Programs of ours that start at once, forked from a process that has imported them.

What a program imports takes longer than most of what a test asks of it. This module itself is imported by each of the
processes, and so imports little.
"""

import ctypes
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

_PR_SET_PDEATHSIG = 1
_context = multiprocessing.get_context("forkserver")
_preloaded: list[str] = []


def preload(module: str) -> None:
    """Let a module be imported before the first process is forked."""
    _preloaded.append(module)
    _context.set_forkserver_preload(_preloaded)


class Forked:
    """A running `python -m MODULE`, of a module whose `main` is what that calls; with the methods of a `Popen`."""

    def __init__(
        self,
        module: str,
        log: Path,
        environment: Mapping[str, str],
        settings: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """Start it in an environment, with both of its outputs at the end of a file.

        Args:
            module: what runs.
            log: the file.
            environment: its variables.
            settings: values of names in modules, such as `viridian_serving.artifacts.retries._FIRST_PAUSE`.
        """
        started = (module, str(log), dict(environment), dict(settings))
        self._process = _context.Process(target=_run, args=started, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if timeout is not None and self.returncode is None:
            raise subprocess.TimeoutExpired(str(self._process), timeout)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(module: str, log: str, environment: dict[str, str], settings: dict[str, object]) -> None:
    """The forked process: what a new one would have from its parent."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    os.environ.clear()
    os.environ.update(environment)
    with Path(log).open("ab", buffering=0) as out:
        for standard in (1, 2):
            os.dup2(out.fileno(), standard)
    for path, value in settings.items():
        place, _, name = path.rpartition(".")
        setattr(importlib.import_module(place), name, value)
    sys.exit(importlib.import_module(module).main())
