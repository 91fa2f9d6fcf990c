"""``viridian outcomes LABELS``: what came of predictions, by version, from labels that came late."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from viridian_import.faults import ImportFault
from viridian_import.outcomes.labels import Columns, read_labels
from viridian_import.outcomes.predictions import Log, read_log


def add_to(commands: Any) -> None:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command to the command line."""
    names = Columns()
    parser = commands.add_parser(
        "outcomes",
        help="join labels that came late with the prediction log, and compare versions",
        description="Joins a table of what turned out with the prediction log: coverage, accuracy, accepted share, "
        "value and calibration by version, with intervals of 95 %%, and which version is better by more than chance.",
    )
    add = parser.add_argument
    add("labels", type=Path, help="what turned out: CSV, Parquet, or a JSON object a line")
    add("--predictions", type=Path, required=True, metavar="LOG", help="the prediction log: JSON lines, or a table")
    add("--by", default=names.by, metavar="COLUMN", help=f"what both are joined by ({names.by})")
    add("--actual", default=names.actual, metavar="COLUMN", help=f"column with the truth ({names.actual})")
    add("--accepted", default=names.accepted, metavar="COLUMN", help=f"column with decisions ({names.accepted})")
    add("--value", default=names.value, metavar="COLUMN", help=f"column with values ({names.value})")
    add("--against", metavar="VERSION", help="version to compare with (the one that predicted first)")
    add("-o", "--output", choices=("text", "json"), default="text", help="form of the report (text)")
    add("--send", metavar="URL", help="also send it to URL/feedback, such as https://models.example.com/iris")
    add("--token", default=names.token, metavar="COLUMN", help=f"with --send: column with tokens ({names.token})")
    add(
        "--key-file",
        type=Path,
        metavar="FILE",
        help="with --send: the key of the model's Secret, which signs without tokens",
    )
    add("--api-key-file", type=Path, metavar="FILE", help="with --send: an API key, for models that want one")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Report; see main()."""
    from viridian_import.outcomes.report import join, report
    from viridian_import.outcomes.text import told

    if given.send is None and (given.key_file or given.api_key_file):
        raise ImportFault("--key-file and --api-key-file are for --send; name the model's address with it")
    columns = Columns(given.by, given.actual, given.accepted, given.value, given.token)
    log = read_log(given.predictions, given.by)
    joined = join(log.predictions, read_labels(given.labels, columns, texts=_texts(log)))
    if not joined.outcomes:
        raise ImportFault(
            f"no row of {given.labels} matches a prediction by {given.by!r}: {joined.unmatched} rows,"
            f" {len(log.predictions)} predictions, {joined.ambiguous} of requests with several; compare the ids of both"
        )
    found = report(log.predictions, joined.outcomes, given.against)
    if given.output == "json":
        counts = {"predictions": len(log.predictions), "known": len(joined.outcomes), "unmatched": joined.unmatched}
        sys.stdout.write(f"{json.dumps({**counts, 'ambiguous': joined.ambiguous, **found.data()}, indent=2)}\n")
    else:
        sys.stdout.write(told(log, joined, found))
    return _send(given, joined.outcomes) if given.send is not None else 0


def _texts(log: Log) -> bool:
    return any(isinstance(each.label, str) for each in log.predictions)


def _send(given: argparse.Namespace, outcomes: Any) -> int:  # noqa: ANN401  loaded late
    from viridian_import.outcomes.sending import Signer, send

    signer = Signer(_secret(given.key_file)) if given.key_file else None
    sent = send(outcomes, given.send, signer, _secret(given.api_key_file) if given.api_key_file else "")
    write = sys.stderr.write if given.output == "json" else sys.stdout.write
    write(f"\nsent to {given.send}: {sent.counted} counted, {sent.repeated} known before\n")
    if sent.unsigned:
        write(f"not sent: {sent.unsigned} without a token; give the column with --token, or the key with --key-file\n")
    for reason, number in sent.refused.most_common():
        write(f"refused: {number}, whose token or value {reason}\n")
    return 1 if sent.refused else 0


def _secret(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImportFault(f"{file} cannot be read ({error}); name a file with the key alone") from None
