"""``viridian check FOLDER``: serves a version here, and asks it what lies beside the model."""

import argparse
import sys
from pathlib import Path
from typing import Any, Final

from viridian_import.checks.local import Report, check
from viridian_import.faults import ImportFault

_SHOWN: Final = 10


def add_to(commands: Any) -> None:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command to the command line."""
    parser = commands.add_parser(
        "check",
        help="serve a version here and check its answers",
        description="Serves a version on this machine, as a pod would, and asks it sample.json and golden.jsonl.",
    )
    parser.add_argument("folder", type=Path, help="a version's folder")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Check a folder; see main()."""
    if not given.folder.exists():
        raise ImportFault(f"there is no {given.folder}; name a version's folder")
    return tell(check(given.folder))


def tell(report: Report) -> int:
    """Print what was found.

    Returns:
        The exit code: 0 when all is well.
    """
    for fault in report.faults[:_SHOWN]:
        sys.stdout.write(f"  {fault}\n")
    if len(report.faults) > _SHOWN:
        sys.stdout.write(f"  … and {len(report.faults) - _SHOWN} more\n")
    good = report.asked - min(len(report.faults), report.asked)
    sys.stdout.write(
        f"checked   {report.smoke}; {good} of {report.asked} golden requests are answered as written down\n"
    )
    return 1 if report.faults else 0
