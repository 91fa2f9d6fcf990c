"""`make bench-faults`: plays faults on the local cluster, prints a table, and writes build/bench-faults.json."""

import argparse
import itertools
import shutil
import sys
import threading

from tests.e2e.harness.background import REPOSITORY
from tests.e2e.harness.environment import Environment, NotPreparedError

from . import capacity, children, leftovers, losses, operators, pods, surroundings
from .placement import nodes
from .playing import play_all
from .rows import Row, table, write
from .scene import Fault

_RESULT = REPOSITORY / "build" / "bench-faults.json"
_LOGS = REPOSITORY / "build" / "bench-faults"


def main() -> int:
    """Read the command line and run.

    Returns:
        0 when every fault ended as specified, 1 when one did not, 2 when nothing could be played.
    """
    parts = (operators, surroundings, pods, children, losses, leftovers, capacity)
    known = list(itertools.chain.from_iterable(part.faults() for part in parts))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "words",
        nargs="?",
        default="",
        help="play those with one of these words in their name, as in prometheus,contour",
    )
    parser.add_argument("--list", action="store_true", help="only print their names")
    arguments = parser.parse_args()
    chosen = choose(known, arguments.words)
    if arguments.list or not chosen:
        print("\n".join(fault.name for fault in chosen or known))
        return 0 if chosen else 2
    try:
        environment = Environment.read()
    except NotPreparedError as error:
        print(f"No fault can be played: {error}. Run `make bench-faults`, which prepares all of it.", file=sys.stderr)
        return 2
    there = len(nodes(environment.cluster))
    for fault in chosen:
        if fault.nodes > there:
            need = f"it needs {fault.nodes} nodes and the cluster has {there}"
            print(
                f"Not played: {fault.name}; {need}. `make clean`, then VIRIDIAN_NODES={fault.nodes}.", file=sys.stderr
            )
    return _play([fault for fault in chosen if fault.nodes <= there], environment)


def choose(known: list[Fault], words: str) -> list[Fault]:
    """Those that have one of the comma-separated words in their name; all of them where there is no word."""
    wanted = [word.strip().lower() for word in words.split(",") if word.strip()]
    return [fault for fault in known if not wanted or any(word in fault.name.lower() for word in wanted)]


def _play(faults: list[Fault], environment: Environment) -> int:
    finished: list[Row] = []
    lock = threading.Lock()

    def tell(row: Row) -> None:
        with lock:
            finished.append(row)
            said = f"{row.fault}: {row.ended_as}, {row.requests_failed} of {row.requests} requests failed"
            print(f"{len(finished)}/{len(faults)} {said}", file=sys.stderr, flush=True)

    shutil.rmtree(_LOGS, ignore_errors=True)
    rows = play_all(faults, environment, _LOGS, tell)
    write(rows, _RESULT)
    print(table(rows))
    odd = [row for row in rows if not row.is_as_expected]
    if odd:
        print(f"\n{len(odd)} of {len(rows)} not as specified; what the cluster said is in {_LOGS}.", file=sys.stderr)
    return 1 if odd else 0


if __name__ == "__main__":
    sys.exit(main())
