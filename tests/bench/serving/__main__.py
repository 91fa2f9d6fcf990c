"""`make bench-serving`: one model behind ours, Triton and Python servers; a table, and build/bench-serving.json."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.serving.pod import ROOT

from .memory import used_by
from .processes import Running
from .questions import check
from .report import Row, joined, judge, table
from .servers import SERVERS, Server
from .wrk import send

_RESULT = ROOT / "build" / "bench-serving.json"
_LOADS = (1, 8, 32, 64)
_WARM_UP = 5
"""A load is preceded by the same one, for this part of its time."""


def main() -> int:
    """Measure, print, write.

    Returns:
        0 when every goal that was measured is met, 1 when one is not, or a request or a whole server failed, 2 when
        there is nothing to measure.
    """
    wanted = _arguments()
    chosen = [server for server in SERVERS if _is_wanted(server, wanted.servers)]
    if wanted.list or not chosen:
        print("\n".join(f"{server.name}: {server.configuration}" for server in chosen or SERVERS))
        return 0 if chosen else 2
    loads = [int(load) for load in wanted.connections.split(",")]
    rounds: list[list[Row]] = []
    broken = []
    for number in range(wanted.rounds):
        rounds.append([])
        # In turns from the first to the last and back, so that a machine that becomes slower does so for all.
        for server in chosen if number % 2 == 0 else chosen[::-1]:
            try:
                rounds[-1] += measure(server, loads, wanted.seconds)
            except AssertionError as error:  # the others are worth measuring nevertheless
                broken.append(server.name)
                _tell(f"{server.name} cannot be measured: {error}")
        _tell(f"round {number + 1} of {wanted.rounds} is done")
    rows = joined(rounds)
    _RESULT.parent.mkdir(exist_ok=True)
    _RESULT.write_text(json.dumps({"rows": [asdict(row) for row in rows]}, indent=2) + "\n")
    if rows:
        print(table(rows, {server.name: server.configuration for server in SERVERS}) + "\n")
    verdicts = judge(rounds)
    remarks = [verdict.text for verdict in verdicts]
    remarks += [f"not measured in a round, for the reason above: {name}" for name in broken]
    print("\n".join(f"- {remark}" for remark in remarks))
    return 1 if broken or any(row.non_2xx for row in rows) or not all(verdict.is_met for verdict in verdicts) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "servers", nargs="?", default="", help="only those whose names begin with one of these, as in viridian,triton"
    )
    parser.add_argument("--seconds", type=int, default=10, help="how long each load lasts")
    parser.add_argument("--rounds", type=int, default=2, help="how often every server is started and measured")
    parser.add_argument("--connections", default=",".join(map(str, _LOADS)), help="the loads")
    parser.add_argument("--list", action="store_true", help="only print the servers")
    return parser.parse_args()


def _is_wanted(server: Server, words: str) -> bool:
    wanted = [word.strip() for word in words.split(",") if word.strip()]
    return not wanted or any(server.name.startswith(word) for word in wanted)


def measure(server: Server, loads: Sequence[int], seconds: int) -> list[Row]:
    """Start a server, see that it answers correctly, load it, and end it.

    Raises:
        AssertionError: It does not start, or its answers are wrong.
    """
    with tempfile.TemporaryDirectory(prefix="bench-serving-") as folder, server.start(Path(folder)) as running:
        check(running.port, server.question, running.model)
        return [_load(server, running, connections, seconds) for connections in loads]


def _load(server: Server, running: Running, connections: int, seconds: int) -> Row:
    url = f"http://127.0.0.1:{running.port}{server.question.path}"
    body = server.question.encoded()
    send(url, body, connections, max(1, seconds // _WARM_UP))
    load = send(url, body, connections, seconds)
    memory = used_by(running.processes)
    _tell(
        f"{server.name}, {connections} connections: {load.requests_per_second:,.0f} req/s, "
        f"p50 {load.p50_ms:.2f} ms, p99 {load.p99_ms:.2f} ms, {memory.mib:.0f} MiB, {load.non_2xx} failed"
    )
    return Row(
        server=server.name,
        connections=connections,
        requests_per_second=load.requests_per_second,
        p50_ms=load.p50_ms,
        p99_ms=load.p99_ms,
        rss_mib=memory.mib,
        memory=memory.how,
        non_2xx=load.non_2xx,
    )


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
