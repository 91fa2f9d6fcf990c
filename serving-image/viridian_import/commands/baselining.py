"""``viridian baseline SAMPLE``: writes ``baseline.json`` for a model that was not imported."""

import argparse
import sys
from pathlib import Path
from typing import Any

from viridian_import.commands import bins, dtypes
from viridian_import.faults import ImportFault
from viridian_import.learn.baseline import of_columns
from viridian_import.learn.draft import draft
from viridian_import.sample.reading import check_target, read_table
from viridian_import.write.folder import write_json
from viridian_serving.contract.baseline_file import FILE


def add_to(commands: Any) -> None:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command to the command line."""
    parser = commands.add_parser(
        "baseline",
        help="write baseline.json, with which pods compare what users send",
        description="Counts the columns of a table, and writes baseline.json. Put it beside the model, and give the "
        "folder's new digest to the manifest.",
    )
    add = parser.add_argument
    add("sample", type=Path, help="rows like those that users send: CSV, Parquet, or a JSON object a line")
    dtypes.add_to(parser)
    add("--target", metavar="COLUMN", help="the column that the model predicts: it is no feature")
    add("--output", metavar="NAME", help="output that answers the target: the column is its baseline")
    add("--into", type=Path, default=Path(), metavar="FOLDER", help="the model's folder (the current one)")
    bins.add_to(parser)
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Write the file; see main()."""
    kinds = dict(given.dtype)
    table = read_table(given.sample, kinds, dtypes.OPTION)
    check_target(given.target, table)
    if given.output is not None and given.target is None:
        raise ImportFault("--output names the output that answers a column; name that with --target, or leave it out")
    if not given.into.is_dir():
        raise ImportFault(f"there is no folder {given.into}; name the one that the model is in with --into")
    kept = bins.read(given.bins)
    for notice in dtypes.codes(given.sample, table, kinds):
        sys.stdout.write(f"notice    {notice}\n")
    features = table.select(name for name in table.names if name != given.target)
    drafts = draft(features, (), ())
    outputs = {given.output: table[given.target]} if given.output is not None else {}
    file = given.into / FILE
    try:
        write_json(file, of_columns(features, drafts, outputs, kept))
    except OSError as error:
        raise ImportFault(f"{file} cannot be written ({error.strerror}); name another folder with --into") from None
    sensitive = [each.name for each in drafts if each.sensitive]
    sys.stdout.write(f"wrote     {file}: {len(drafts) - len(sensitive)} features of {table.rows} rows\n")
    if sensitive:
        sys.stdout.write(f"left out  {', '.join(sensitive)}: they look personal\n")
    return 0
