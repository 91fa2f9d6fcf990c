"""``viridian check FOLDER``: serves a version here, asks it what lies beside the model, and puts load on it."""

import argparse
import math
import re
import sys
from pathlib import Path
from typing import Any, Final

from viridian_import.checks.local import Report, check
from viridian_import.faults import ImportFault
from viridian_serving.checks.load import Objective
from viridian_serving.checks.load_check import LoadPlan
from viridian_shared.durations import parse_duration

_SHOWN: Final = 10


def add_to(commands: Any) -> None:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command to the command line."""
    parser = commands.add_parser(
        "check",
        help="serve a version here and check its answers",
        description="Serves a version on this machine, as a pod would, and asks it sample.json and golden.jsonl.",
    )
    add = parser.add_argument
    add("folder", type=Path, help="a version's folder")
    add(
        "--load",
        action="store_true",
        help="also send requests at a rate, and find the highest one that is kept up with",
    )
    add("--trusted", action="store_true", help="load a native model, where that runs the code in it")
    many = parser.add_mutually_exclusive_group()
    many.add_argument("--rate", type=_rate, help="requests a second that must keep the objective")
    many.add_argument("--concurrency", type=_count, help="in place of a rate: clients that each wait for their answers")
    add("--requests", type=_count, default=1000, help="requests to send at the rate, or by the clients (1000)")
    add(
        "--p99",
        type=_duration,
        default=0.1,
        help="the objective: 99 %% of the requests are answered in so long (100ms)",
    )
    add("--max-errors", type=_share, default=0.0, help="the objective: share of requests that may fail, as 0.1%% (0%%)")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Check a folder; see main()."""
    if not given.folder.exists():
        raise ImportFault(f"there is no {given.folder}; name a version's folder")
    load = given.load or given.rate is not None or given.concurrency is not None
    plan = LoadPlan(Objective(given.p99, given.max_errors), given.requests, given.rate, given.concurrency)
    return tell(check(given.folder, plan if load else None, trusted=given.trusted))


def tell(report: Report) -> int:
    """Print what was found.

    Returns:
        The exit code: 0 when all is well.
    """
    faults = [*report.told, *(report.load.faults if report.load else ())]
    for fault in faults[:_SHOWN]:
        sys.stdout.write(f"  {fault}\n")
    if len(faults) > _SHOWN:
        sys.stdout.write(f"  … and {len(faults) - _SHOWN} more\n")
    if report.log:
        sys.stdout.write(f"log       of the pod: {report.log}\n")
    good = report.asked - len(report.differences)
    sys.stdout.write(
        f"checked   {report.smoke}; {good} of {report.asked} golden requests are answered as written down\n"
    )
    for line in report.load.lines if report.load else ():
        sys.stdout.write(f"load      {line}\n")
    return 1 if faults else 0


def _rate(text: str) -> float:
    return _number(text, "a number of requests a second, such as 50", 1e-3, 1e5)


def _count(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,6}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0 and below 10 million")
    return int(text)


def _duration(text: str) -> float:
    try:
        seconds = parse_duration(text).total_seconds()
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not 0 < seconds <= 60:
        raise argparse.ArgumentTypeError(f"{text!r} is no time above 0 and up to 60s; write one such as 100ms")
    return seconds


def _share(text: str) -> float:
    return _number(text.removesuffix("%"), "a percentage below 100%, such as 0.1%", 0, 99.999) / 100


def _number(text: str, what: str, low: float, high: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return number
