"""Runs the original model in a separate process: without network, and without the user's environment."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec

from viridian_import.faults import ImportFault
from viridian_import.messages import (
    Answers,
    Ask,
    Convert,
    Description,
    Done,
    Explain,
    Explained,
    Failed,
    Load,
    Measure,
    Plan,
    Reply,
    Request,
    Source,
    Took,
)
from viridian_import.pipe import EndedError, exchange
from viridian_import.readers.libraries import LIBRARIES
from viridian_import.sample.table import Table

_COMMAND: Final = ("-P", "-m", "viridian_import.worker")
_KEPT: Final = ("PATH", "LD_LIBRARY_PATH", "LOCPATH")
"""Variables without which Python's own libraries, or the locale of texts, may not be found."""
_ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Threads that wait for each other would be measured in place of the model; ONNX Runtime has one as well."""
_DOING: Final = {Load: "read", Convert: "converted"}
"""What the process was at, by request; else it answers rows."""
_Reply = TypeVar("_Reply")


class OriginalModel:
    """The model as its own library runs it. Use it as a context manager."""

    def __init__(
        self, path: Path, source: Source, *, trusted: bool = False, code: Path | None = None, python: str = ""
    ) -> None:
        """Start the process and load the model.

        Args:
            path: Its file.
            source: What the file is.
            trusted: Whether the user trusts its author.
            code: A folder with modules of the user's own that the model needs.
            python: The user's own Python, where the library of the model is not in this one.

        Raises:
            ImportFault: It cannot be loaded.
        """
        self._path, self._library = path, LIBRARIES[source]
        self._home = tempfile.TemporaryDirectory(prefix="viridian-import-")
        self._printed = Path(self._home.name) / "printed.txt"
        with self._printed.open("wb") as printed:
            self._process = subprocess.Popen(  # noqa: S603  our own program
                (sys.executable, *_COMMAND),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=printed,
                cwd=self._home.name,
                env=_environment(os.environ, self._home.name),
                start_new_session=True,  # so that what it starts ends with it
            )
        try:
            load = Load(str(path.absolute()), source, trusted, str(code.absolute()) if code else "", python)
            self.description = self._ask(load, Description)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process, and what it started."""
        with suppress(ProcessLookupError):  # nothing of it is left
            os.killpg(self._process.pid, SIGKILL)
        self._process.communicate()
        self._home.cleanup()

    def answer(self, table: Table) -> Answers:
        """Return what the model answers to each row.

        Raises:
            ImportFault: The process ended.
        """
        return self._ask(Ask(list(table.columns)), Answers)

    def convert(self, plan: Plan, row: Table, file: Path) -> None:
        """Write the model as ONNX.

        Args:
            plan: How.
            row: One that the model answers, with the features in their order.
            file: Where to.

        Raises:
            ImportFault: It cannot be converted this way.
        """
        self._ask(Convert(plan, list(row.columns), str(file.absolute())), Done)

    def explain(self, table: Table) -> list[str]:
        """Return why an ONNX file may answer these rows otherwise, as sentences."""
        return self._ask(Explain(list(table.columns)), Explained).sentences

    def measure(self, table: Table, seconds: float) -> float:
        """Return the microseconds that one call with these rows takes, as the median of calls for some seconds."""
        return self._ask(Measure(list(table.columns), seconds), Took).microseconds

    def _ask(self, request: Request, expected: type[_Reply]) -> _Reply:
        try:
            line = exchange(self._process, msgspec.json.encode(request), self._printed)
        except EndedError as error:
            raise ImportFault(self._ended(error, _DOING.get(type(request), "answered rows with"))) from None
        reply = msgspec.json.decode(line, type=Reply)
        if isinstance(reply, Failed):
            raise ImportFault(reply.sentence)
        if not isinstance(reply, expected):
            raise TypeError(f"the process of the original model answered {type(reply).__name__}")
        return reply

    def _ended(self, error: EndedError, doing: str) -> str:
        path, library = self._path, self._library
        if error.crashed:
            return (
                f"{library.name} crashed ({error.how.removeprefix('by ')}) while it {doing} {path}; the file is "
                f"{library.damaged}{error.said}"
            )
        if error.killed:
            return (
                f"the process that {doing} {path} was killed, most likely for want of memory; free some, or import "
                f"the model on a machine with more{error.said}"
            )
        return (
            f"the process that {doing} {path} ended {error.how}; check that the packages here are those that made the "
            f"model{error.said}"
        )


def _environment(environ: Mapping[str, str], home: str) -> dict[str, str]:
    """Make an environment with nothing of the user's in it, from which this Python finds the same packages."""
    kept = {name: environ[name] for name in _KEPT if name in environ}
    paths = [path for path in sys.path if path and os.path.isdir(path)]
    return kept | _ONE_THREAD | {"PYTHONPATH": os.pathsep.join(paths), "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8"}
