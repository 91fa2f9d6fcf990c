"""``--dtype`` of the commands that read a sample, and what is said of columns whose type may not be meant."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from viridian_import.sample.reading import codes_read_as_numbers
from viridian_import.sample.table import Table
from viridian_serving.codec.tensors import Kind

OPTION: Final = "--dtype"
_MEANT: Final = {
    **dict.fromkeys(("float", "float32", "float64", "double", "numeric"), Kind.NUMBER),
    **dict.fromkeys(("int", "int32", "int64", "long"), Kind.INTEGER),
    **dict.fromkeys(("str", "object", "text", "category"), Kind.STRING),
    "bool": Kind.BOOLEAN,
}
"""What a type is called here, by its name in pandas or Python."""


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the option to a command."""
    parser.add_argument(
        OPTION,
        action="append",
        default=[],
        type=_dtype,
        metavar="COLUMN=TYPE",
        help="read a column as string, number, integer or boolean",
    )


def codes(file: Path, sample: Table, kinds: Mapping[str, Kind]) -> Iterator[str]:
    """Yield a sentence for each column that holds codes by its looks, and is read as numbers."""
    for name, value in codes_read_as_numbers(file, sample, kinds).items():
        yield f"{name} is read as a number, and {value} begins with 0: if it is a code, {OPTION} {name}=string"


def _dtype(text: str) -> tuple[str, Kind]:
    name, _, kind = text.rpartition("=")
    if not name:
        raise argparse.ArgumentTypeError(f"{text!r} is no COLUMN=TYPE; write for example zip=string")
    if kind not in list(Kind):
        meant = _MEANT.get(kind.lower())
        instead = f"write {name}={meant}; the types" if meant else "the types"
        raise argparse.ArgumentTypeError(f"{text!r}: there is no type {kind!r}; {instead} are {', '.join(Kind)}")
    return name, Kind(kind)
