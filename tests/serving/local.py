"""``viridian-serve`` as somebody runs it in a terminal."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.serving.pod import SOURCES, children_in
from tests.waiting import DEADLINE, eventually

from viridian_serving.commands.serve import free_ports


class Local:
    def __init__(self, directory: Path, *arguments: str | Path, **settings: str) -> None:
        self.directory = directory
        self.metrics_port = free_ports("127.0.0.1", 0)[0]
        self._out, self._err = directory / "out.txt", directory / "err.txt"
        (directory / "tmp").mkdir(exist_ok=True)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("VIRIDIAN_")}
        environment |= {f"VIRIDIAN_{name}": value for name, value in settings.items()}
        environment |= {
            "PYTHONPATH": os.pathsep.join(map(str, SOURCES)),
            "TMPDIR": str(directory / "tmp"),
            "VIRIDIAN_METRICS_PORT": str(self.metrics_port),
        }
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "viridian_serving.commands.serve", *map(str, arguments), "--port", "0"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment,
                cwd=directory,
                process_group=0,  # as a terminal does
            )

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def wait_ready(self) -> None:
        eventually(lambda: "Ctrl-C ends it." in self.out or self.process.poll() is not None, lambda: self.err)
        assert self.process.poll() is None, self.err

    @property
    def url(self) -> str:
        found = re.search(r"is ready at (\S+)", self.out)
        assert found is not None, self.out
        return found[1]

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def command(self) -> str:
        """What it says to paste."""
        (line,) = [line for line in self.out.splitlines() if "curl" in line]
        return line.strip()

    def paste(self) -> str:
        done = subprocess.run(
            ["bash", "-c", self.command], capture_output=True, text=True, timeout=DEADLINE, cwd=self.directory
        )
        assert done.returncode == 0, (self.command, done.stderr)
        return done.stdout

    def press_ctrl_c(self) -> None:
        """The terminal signals every process of the foreground's group."""
        os.killpg(self.process.pid, signal.SIGINT)

    @property
    def processes(self) -> list[int]:
        """Triton and the processes of its backend, if any are left."""
        return children_in(self.directory / "tmp", "viridian-serve-")

    def end(self) -> None:
        if self.process.poll() is None:
            self.press_ctrl_c()
        try:
            self.process.wait(DEADLINE)
        finally:
            for pid in (*self.processes, *([self.process.pid] if self.process.poll() is None else [])):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def serving(directory: Path, *arguments: str | Path, **settings: str) -> Iterator[Local]:
    local = Local(directory, *arguments, **settings)
    try:
        local.wait_ready()
        yield local
    finally:
        local.end()
