"""Servers as child processes: started on free ports, logged to a file, and ended by their own id."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.forked import Forked
from tests.waiting import DEADLINE, eventually

_STOP_SECONDS = 60


class Server:
    """A running server."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes] | Forked", log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    def wait_until(self, ready: Callable[[], bool], within: float = DEADLINE) -> None:
        """Wait until the server is ready.

        Raises:
            AssertionError: it ended, or is not ready in time; the message has the end of its log.
        """

        def look() -> bool:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with status {self.process.returncode}:\n{self.tail()}")
            return ready()

        try:
            eventually(look, f"{self.name} to be ready", within)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tail()}") from None

    def stop(self) -> None:
        """Ask it to end, and end it when it does not."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait()

    def tail(self, lines: int = 20) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def start(name: str, command: Sequence[str | Path], log: Path, environment: dict[str, str] | None = None) -> Server:
    """Start a server.

    It is started through setpriv(1), which replaces itself by the server, so that the kernel ends the server when
    this process dies in a way that no fixture sees.
    """
    with log.open("ab") as out:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *(str(part) for part in command)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    return Server(name, process, log)
