"""`make bench-serving`: one model behind ours, Triton and Python servers; a table, and build/bench-serving.json."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.serving.pod import ROOT

from .cpu import seconds_of
from .memory import used_by
from .processes import Running
from .questions import Question, check
from .report import Row, joined, judge, table
from .servers import SERVERS, Server, against
from .workloads import WORKLOADS, Workload
from .wrk import send

_RESULT = ROOT / "build" / "bench-serving.json"
_WARM_UP = 5
"""A load is preceded by the same one, for this part of its time."""


def main() -> int:
    """Measure, print, write.

    Returns:
        0 when every goal that was measured is met, 1 when one is not, or a request or a whole server failed, 2 when
        there is nothing to measure.
    """
    wanted = _arguments()
    chosen = [server for server in SERVERS if _is_wanted(server.name, wanted.servers)]
    chosen[1:1] = [against(commit) for commit in wanted.against.split(",") if commit]
    workloads = [each for each in WORKLOADS if _is_wanted(each.name, wanted.workloads)]
    if wanted.list or not chosen:
        print("\n".join(f"{server.name}: {server.configuration}" for server in chosen or SERVERS))
        return 0 if chosen else 2
    loads = {int(load) for load in wanted.connections.split(",")} if wanted.connections else None
    rounds: list[list[Row]] = []
    broken = []
    for number in range(wanted.rounds):
        rounds.append([])
        # In turns from the first to the last and back, so that a machine that becomes slower does so for all.
        for server in chosen if number % 2 == 0 else chosen[::-1]:
            for workload in workloads:
                question = server.question(workload)
                if question is None:
                    continue
                chosen_loads = [load for load in workload.loads if loads is None or load in loads]
                try:
                    rounds[-1] += measure(server, workload, question, chosen_loads, wanted.seconds)
                except AssertionError as error:  # the others are worth measuring nevertheless
                    broken.append(f"{server.name} ({workload.name})")
                    _tell(f"{server.name} cannot be measured with {workload.name}: {error}")
        _tell(f"round {number + 1} of {wanted.rounds} is done")
    rows = joined(rounds)
    _RESULT.parent.mkdir(exist_ok=True)
    _RESULT.write_text(json.dumps({"rows": [asdict(row) for row in rows]}, indent=2) + "\n")
    for workload in workloads:
        if own := [row for row in rows if row.workload == workload.name]:
            print(f"{workload.name}: {workload.what}\n")
            print(table(own, {server.name: server.configuration for server in chosen}) + "\n")
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
    parser.add_argument("--connections", default="", help="only these loads")
    parser.add_argument("--workloads", default="", help="only those whose names begin with one of these: iris,image")
    parser.add_argument("--against", default="", help="earlier commits to hold this one against, in the same rounds")
    parser.add_argument("--list", action="store_true", help="only print the servers")
    return parser.parse_args()


def _is_wanted(name: str, words: str) -> bool:
    wanted = [word.strip() for word in words.split(",") if word.strip()]
    return not wanted or any(name.startswith(word) for word in wanted)


def measure(server: Server, workload: Workload, question: Question, loads: Sequence[int], seconds: int) -> list[Row]:
    """Start a server, see that it answers correctly, load it, and end it.

    Raises:
        AssertionError: It does not start, or its answers are wrong.
    """
    with (
        tempfile.TemporaryDirectory(prefix="bench-serving-") as folder,
        server.start(Path(folder), workload) as running,
    ):
        check(running.port, question, workload.samples, workload.answers_of(running.model))
        return [_load(server, workload, question, running, connections, seconds) for connections in loads]


def _load(
    server: Server, workload: Workload, question: Question, running: Running, connections: int, seconds: int
) -> Row:
    url = f"http://127.0.0.1:{running.port}{question.path}"
    body = question.encoded(workload.samples[1])
    send(url, body, connections, max(1, seconds // _WARM_UP), question.headers)
    before = seconds_of(running.processes)
    load = send(url, body, connections, seconds, question.headers)
    cpu = 1e6 * (seconds_of(running.processes) - before) / max(1, load.good)
    memory = used_by(running.processes)
    _tell(
        f"{server.name}, {workload.name}, {connections} connections: {load.requests_per_second:,.0f} req/s, "
        f"{cpu:.0f} µs of CPU each, p50 {load.p50_ms:.2f} ms, p99 {load.p99_ms:.2f} ms, {memory.mib:.0f} MiB, "
        f"{load.non_2xx} failed"
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
        cpu_us_per_prediction=cpu,
        workload=workload.name,
    )


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
