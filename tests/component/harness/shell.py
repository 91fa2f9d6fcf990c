"""A shell with kubectl and the plugin, as users of a cluster have it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .binaries import REPOSITORY, binary
from .stage import Stage


class Shell:
    """A shell of somebody with kubectl, the plugin and a kubeconfig."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        programs = folder / "bin"
        programs.mkdir()
        (programs / "kubectl").symlink_to(binary("kubectl"))
        plugin = programs / "kubectl-viridian"
        plugin.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m viridian.cli.main "$@"\n')
        plugin.chmod(0o755)
        self._folder = folder
        self._environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY / "operator"),
            "HOME": str(folder),
            "KUBECONFIG": str(stage.control_plane.kubeconfig),
            "NAMESPACE": stage.namespace,
            "TIMEOUT": "5m",
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
                started.communicate(timeout=30)
            finally:
                started.kill()

    def run(self, *command: str | Path, status: int = 0) -> str:
        """Run a command, and return what it wrote to both outputs."""
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment,
            stdout=-1,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout
        return done.stdout
