"""A shell with kubectl and the plugin, as users of a cluster have it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import DEADLINE

from .binaries import REPOSITORY


class Shell:
    """A shell of somebody with kubectl, the plugin and a kubeconfig."""

    def __init__(self, folder: Path, kubeconfig: str | Path, kubectl: Path | None = None, **variables: str) -> None:
        """Commands start in `folder`; `kubectl` is needed where none is in the PATH."""
        programs = folder / "bin"
        programs.mkdir()
        if kubectl is not None:
            (programs / "kubectl").symlink_to(kubectl)
        plugin = programs / "kubectl-viridian"
        plugin.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m viridian.cli.main "$@"\n')
        plugin.chmod(0o755)
        self._folder = folder
        self._environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY / "operator"),
            "HOME": str(folder),
            "KUBECONFIG": str(kubeconfig),
            **variables,
        }

    @contextmanager
    def running(self, *command: str) -> "Iterator[subprocess.Popen[str]]":
        """A command that goes on; it is interrupted at the end."""
        started = subprocess.Popen(command, cwd=self._folder, env=self._environment, stdout=-1, text=True)
        try:
            yield started
        finally:
            started.send_signal(signal.SIGINT)
            try:
                started.communicate(timeout=DEADLINE)
            finally:
                started.kill()

    def run(self, *command: str | Path, status: int = 0) -> str:
        """Run a command, and return what it wrote to both outputs."""
        found, said = self._run(*command)
        assert found == status, said
        return said

    def script(self, text: str) -> tuple[int, str]:
        """Run a script, which ends at its first error: its exit status, and what it wrote to both outputs."""
        return self._run("bash", "-eu", "-o", "pipefail", "-c", text)

    def _run(self, *command: str | Path) -> tuple[int, str]:
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout
