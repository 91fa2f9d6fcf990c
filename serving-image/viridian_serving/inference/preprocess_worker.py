"""The process in which ``preprocess.py`` runs: author's code that hangs or crashes takes nothing else with it.

It reads frames from standard input and writes frames to standard output: four bytes with the length, then MessagePack.
"""

import importlib.util
import logging
import math
import os
import struct
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from viridian_serving.codec.features import RequestSchema
from viridian_serving.codec.instances import InstanceReader
from viridian_serving.codec.tensors import DataType, ModelSchema, Tensor

LOG = logging.getLogger("viridian.preprocess")

LENGTH: Final = struct.Struct("<I")
_LONGEST_WORDS: Final = 2000
FUNCTION: Final = "preprocess"


class Setup(msgspec.Struct):
    """The first frame: what to run, and what the model takes."""

    file: str
    inputs: list[tuple[str, str, tuple[int, ...]]]
    """Name, type and shape of each input."""


class Loaded(msgspec.Struct):
    """The answer to it."""

    fault: str | None = None
    """Why the file cannot be used."""


class Made(msgspec.Struct, tag=True):
    """What the model gets for an instance."""

    shapes: tuple[tuple[int, ...], ...]
    tensors: tuple[bytes, ...]


class Refused(msgspec.Struct, tag=True):
    """The instance cannot be used, says the author's code."""

    feature: str | None
    reason: str


class Failed(msgspec.Struct, tag=True):
    """The author's code failed."""

    reason: str
    """For the log."""
    words: str = ""
    """The error with its own words, which may hold what a client sent."""


Result = Made | Refused | Failed
Function = Callable[[dict[str, Any]], object]


def load(file: Path) -> Function:
    """Load the author's function.

    Args:
        file: The module.

    Returns:
        Its function.

    Raises:
        Exception: Whatever the module raises.
        ValueError: It has no such function.
    """
    sys.path.append(str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ValueError(f"{file.name} is no Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Function | None = getattr(module, FUNCTION, None)
    if function is None:
        raise ValueError(f"it has no function {FUNCTION}(instance)")
    return function


def run(function: Function, reader: InstanceReader, instance: dict[str, Any]) -> Result:
    """Run the author's function on an instance.

    Args:
        function: The author's.
        reader: Knows what the model takes.
        instance: What a client sent, checked.

    Returns:
        What came of it.
    """
    try:
        made = function(instance)
    except ValueError as error:
        return _refusal(error, instance)
    except Exception as error:  # noqa: BLE001  whatever the author's code raises
        # Its words may hold what a client sent, KeyError's do; where it was raised is said, and of which kind it is.
        trace = "".join(traceback.format_tb(error.__traceback__))
        LOG.error("preprocess() raised %s:\n%s", type(error).__name__, trace)  # noqa: TRY400  not its words
        return Failed(
            f"preprocess() raised {type(error).__name__}", f"{type(error).__name__}: {error}"[:_LONGEST_WORDS]
        )
    encoded, violations = reader.encode(_plain(made))
    if encoded is None:
        first = violations[0]
        return Failed(f"preprocess() returned what the model does not take: {first.pointer or 'it'} {first.detail}")
    return Made(encoded.shapes, encoded.tensors)


def _refusal(error: ValueError, instance: dict[str, Any]) -> Refused:
    """ValueError(feature, reason) names the feature, ValueError(reason) does not."""
    if len(error.args) == 2 and isinstance(error.args[0], str) and error.args[0] in instance:
        return Refused(str(error.args[0]), str(error.args[1]))
    return Refused(None, str(error))


def _plain(value: Any) -> Any:  # noqa: ANN401  whatever the author returns
    """Take arrays and numbers of numpy for lists and numbers, and NaN for a value that is not known."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def read_frame(stream: BinaryIO) -> bytes | None:
    """Read a frame; gives None at the end."""
    head = stream.read(LENGTH.size)
    return stream.read(LENGTH.unpack(head)[0]) if len(head) == LENGTH.size else None


def framed(message: object) -> bytes:
    """Write a frame."""
    content = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(content)) + content


def main() -> int:
    """Serve until standard input ends.

    Returns:
        The exit code.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stdin = sys.stdin.buffer
    # What the author's code prints must not get between the frames.
    stdout = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    first = read_frame(stdin)
    if first is None:
        return 0
    setup = msgspec.msgpack.decode(first, type=Setup)
    inputs = tuple(Tensor(name, DataType[datatype], dims) for name, datatype, dims in setup.inputs)
    reader = InstanceReader(RequestSchema.of(ModelSchema(inputs, (), 0), nullable=True), 1)
    try:
        function = load(Path(setup.file))
    except BaseException as error:
        LOG.exception("%s cannot be loaded", setup.file)
        stdout.write(framed(Loaded(f"{type(error).__name__}: {error}")))
        stdout.flush()
        return 1
    stdout.write(framed(Loaded()))
    stdout.flush()
    while (frame := read_frame(stdin)) is not None:
        results = [run(function, reader, instance) for instance in msgspec.msgpack.decode(frame)]
        stdout.write(framed(results))
        stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
