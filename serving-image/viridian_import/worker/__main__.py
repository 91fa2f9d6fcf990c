"""``python -m viridian_import.worker``: answers requests by lines of JSON, until its standard input ends."""

import os
import sys
import warnings
from typing import TYPE_CHECKING

import msgspec

from viridian_import.faults import ImportFault
from viridian_import.messages import (
    Answers,
    Ask,
    Convert,
    Done,
    Explain,
    Explained,
    Failed,
    Load,
    Reply,
    Request,
    Took,
)
from viridian_import.timing import microseconds_of
from viridian_import.worker.isolation import leave_network
from viridian_serving.artifacts.library_words import words_of

if TYPE_CHECKING:
    import pandas as pd

    from viridian_import.readers.model import Original


class Worker:
    """Holds the model."""

    def __init__(self, network: str) -> None:
        """Start without a model.

        Args:
            network: How this process is kept from the network.
        """
        self._network = network
        self._original: Original | None = None

    def handle(self, request: Request) -> Reply:
        """Do what is asked.

        Args:
            request: The first one loads the model.

        Returns:
            The answer.

        Raises:
            ImportFault: It cannot be done.
        """
        if isinstance(request, Load):
            return self._load(request)
        original = self._original
        assert original is not None  # noqa: S101  it was loaded first
        from viridian_import.worker.frames import frame_of

        if isinstance(request, Convert):
            kinds = {column.name: column.kind for column in request.row}
            original.convert(request.plan, kinds, frame_of(request.row), request.file)
            return Done()
        frame = frame_of(request.columns)
        if isinstance(request, Ask):
            return _answers(original, frame)
        if isinstance(request, Explain):
            return Explained(original.explain(frame))
        return Took(microseconds_of(lambda: original.answer(frame), request.seconds))

    def _load(self, request: Load) -> Reply:
        from viridian_import.readers.reading import read

        if request.code:
            sys.path.insert(0, request.code)
        self._original = read(request)
        return msgspec.structs.replace(self._original.description, network=self._network)


def _answers(original: "Original", frame: "pd.DataFrame") -> Answers:
    """Answer all rows at once, and, where that fails, halves of them, until the rows that fail are found."""
    values: dict[str, list[object]] = {output.name: [None] * len(frame) for output in original.description.outputs}
    refused: dict[int, str] = {}
    parts = [(0, len(frame))]
    while parts:
        start, end = parts.pop()
        try:
            answered = original.answer(frame.iloc[start:end].reset_index(drop=True))
        except Exception as error:  # noqa: BLE001  it is the model's, and may be any
            if end - start == 1:
                refused[start] = f"{type(error).__name__}: {words_of(error)}"
            else:
                middle = (start + end) // 2
                parts += [(start, middle), (middle, end)]
        else:
            for name, rows in answered.items():
                values[name][start:end] = rows
    return Answers(values, refused)


def main() -> int:
    """Answer requests.

    Returns:
        The exit code.
    """
    worker = Worker(leave_network())
    warnings.simplefilter("ignore")
    # What the model prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        try:
            reply: Reply = worker.handle(msgspec.json.decode(line, type=Request))
        except ImportFault as fault:
            reply = Failed(str(fault))
        answers.write(msgspec.json.encode(reply) + b"\n")
        answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
