"""``--bins`` of the commands that write a baseline: the edges of an earlier version's are kept."""

import argparse
from pathlib import Path

from viridian_import.faults import ImportFault
from viridian_import.learn.baseline import NO_BINS
from viridian_serving.codec.tensors import SchemaError
from viridian_serving.contract.baseline_file import FILE, Baseline, read_baseline


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the option to a command."""
    parser.add_argument(
        "--bins",
        type=Path,
        metavar="FOLDER",
        help="folder of another version: numbers are counted between the edges of its baseline.json, so that "
        "`kubectl viridian drift --against` can compare both",
    )


def read(folder: Path | None) -> Baseline:
    """Return the baseline that is in a folder; an empty one without a folder.

    Raises:
        ImportFault: There is none, or it cannot be read.
    """
    if folder is None:
        return NO_BINS
    try:
        found = read_baseline(folder)
    except SchemaError as error:
        raise ImportFault(f"--bins {folder}: {error}") from None
    if found is None:
        raise ImportFault(f"--bins names a version's folder, and {folder} has no {FILE}; leave it out for new bins")
    return found
