"""A reader who follows a page word for word, in a notebook and a shell."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .page import Block

_STOP_SECONDS = 30
_CELLS = """
import json, sys
state = {"__name__": "__main__"}
for line in sys.stdin:
    exec(json.loads(line), state)
    print("done", flush=True)
"""


class Reader:
    """Somebody with a notebook and a shell in one folder, both of which stay open from block to block."""

    def __init__(self, notebook: "subprocess.Popen[str]", shell: "subprocess.Popen[str]", folder: Path) -> None:
        self._programs = {"python": notebook, "sh": shell}
        self._folder = folder
        self._count = 0

    @classmethod
    @contextmanager
    def at(cls, folder: Path, notebook: Sequence[str], environment: Mapping[str, str]) -> Iterator["Reader"]:
        """Open both.

        Args:
            folder: Where they are.
            notebook: The command line of Python.
            environment: Of both.
        """
        with (folder / "programs.txt").open("w") as complaints:

            def opened(*command: str) -> "subprocess.Popen[str]":
                return subprocess.Popen(
                    command,
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=complaints,
                    text=True,
                    start_new_session=True,
                )

            programs = [opened(*notebook, "-c", _CELLS), opened("bash", "-e", "-o", "pipefail")]
            try:
                yield cls(*programs, folder)
            finally:
                for program in programs:
                    os.killpg(program.pid, signal.SIGTERM)  # with what it left in the background
                    program.communicate(timeout=_STOP_SECONDS)

    def run(self, block: Block) -> str:
        """Run a block to its end; the value is what a shell printed.

        Raises:
            AssertionError: A command failed; the message has what it printed.
        """
        self._count += 1
        program, output = self._programs[block.language], self._folder / f"block-{self._count}.txt"
        if block.language == "sh":
            commands = output.with_suffix(".sh")
            commands.write_text(block.text)
            line = f". ./{commands.name} >{output.name} 2>&1 </dev/null; echo done"
        else:
            output.touch()
            line = json.dumps(block.text)
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(f"{line}\n")
        program.stdin.flush()
        answer = program.stdout.readline()
        said = output.read_text()
        complaints = (self._folder / "programs.txt").read_text()
        assert answer == "done\n", f"{block.heading}:\n{block.text}\nprinted:\n{said}\n{complaints}"
        return said
