"""`tiers.py PROGRAM LANE…`: runs lanes of test tiers side by side, and ends with a table of results and times.

A lane is names of tiers with commas between them, one after the other: lanes side by side use the machine better than
all tiers in a row, since each of them waits now and then, and some most of the time. Lanes before the last give way to
it: the tests on a cluster are there, and a pod that gets no CPU for seconds fails its clients' requests. Each tier is
`PROGRAM TIER`. All of them run, even if one fails. Of several lanes the last lines of tiers that passed are shown, and
in the end all of those that failed.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree  # our own pytest wrote these files
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

BUILD = Path("build")
SHOWN = 10
"""Last lines of a tier that passed."""
REASON = 300
"""Letters of why a test failed, in the list at the end: whoever keeps the last lines only can still see it."""
GIVING_WAY = (
    *("/bin/sh", "-c"),
    '(echo 10 >/proc/self/autogroup) 2>/dev/null || renice -n 10 $$ >/dev/null; exec "$0" "$@"',
)
"""Runs a command that gets about a tenth of the CPU where others want all of it, with whatever it starts in its
session, sched(7); where the kernel has no autogroups, that is so of each process.
"""


@dataclass(frozen=True)
class Result:
    """What became of a tier.

    Attributes:
        tier: Its name.
        status: Its exit status.
        seconds: How long it took.
        computed: Seconds of a core that it and the processes it waited for have used.
    """

    tier: str
    status: int
    seconds: float
    computed: float

    def __str__(self) -> str:
        good, bad, left_out = count(self.tier)
        result = "FAILED" if self.status else "passed"
        tests = f"{good:5} passed {bad:3} failed {left_out:3} skipped"
        return f"  {self.tier:<10} {result:<7} {tests} {self.seconds:6.0f} s {self.computed:6.0f} s of CPU"


class Lane(threading.Thread):
    """Tiers one after the other."""

    running: ClassVar["set[subprocess.Popen[bytes]]"] = set()
    """The tiers of all lanes that run now."""
    interrupted = threading.Event()

    def __init__(self, program: str, tiers: list[str], quiet: bool, yields: bool) -> None:
        super().__init__()
        self.results: list[Result] = []
        self._program, self._tiers, self._quiet, self._yields = program, tiers, quiet, yields

    def run(self) -> None:
        """Run them; the thread's own work."""
        for tier in self._tiers:
            if self.interrupted.is_set():
                return
            say(f"== {tier} begins" if self._quiet else f"== {tier}")
            with log_of(tier).open("wb") as log:
                result = self._run(tier, {"stdout": log, "stderr": subprocess.STDOUT} if self._quiet else {})
            self.results.append(result)
            if self._quiet:
                report(result)

    def _run(self, tier: str, output: dict[str, Any]) -> Result:
        started = time.monotonic()
        # In a separate group, so that all of it can be interrupted. What gives way needs a session of its own, since
        # Linux gives a session its share of the CPU.
        own: dict[str, Any] = {"start_new_session": True} if self._yields else {"process_group": 0}
        command = [*(GIVING_WAY if self._yields else ()), self._program, tier]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **own, **output)  # noqa: S603
        self.running.add(process)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.running.discard(process)
        return Result(tier, process.returncode, time.monotonic() - started, usage.ru_utime + usage.ru_stime)


def report(result: Result) -> None:
    """How a tier of one of several lanes ended."""
    if result.status:
        say(f"== {result.tier} FAILED after {result.seconds:.0f} s: {log_of(result.tier)}, which is shown at the end")
        return
    lines = log_of(result.tier).read_text(errors="replace").splitlines()
    say("\n".join([f"== {result.tier} passed in {result.seconds:.0f} s:", *lines[-SHOWN:]]))


def log_of(tier: str) -> Path:
    """Where a tier of one of several lanes writes."""
    return BUILD / f"tests-{tier}.log"


def count(tier: str) -> tuple[int, int, int]:
    """Tests passed, failed and skipped, from reports in JUnit's format; none for a tier without one."""
    suites = reported(tier, "testsuite")
    total, errors, failures, skipped = (
        sum(int(suite.get(name, "0")) for suite in suites) for name in ("tests", "errors", "failures", "skipped")
    )
    return total - errors - failures - skipped, errors + failures, skipped


def failures_of(tier: str) -> list[str]:
    """A line for each test that failed: its name, and the beginning of why."""
    return [
        f"    {case.get('classname')}::{case.get('name')}: {' '.join((why.get('message') or '').split())[:REASON]}"
        for case in reported(tier, "testcase")
        for why in case
        if why.tag in {"failure", "error"}
    ]


def reported(tier: str, kind: str) -> list[ElementTree.Element]:
    """All elements of a kind in a tier's reports."""
    reports = sorted(BUILD.glob(f"tests-{tier}.xml")) + sorted(BUILD.glob(f"tests-{tier}-*.xml"))
    return [found for report in reports for found in ElementTree.parse(report).getroot().iter(kind)]  # noqa: S314


def say(text: str) -> None:
    """A line for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def interrupt(*_: object) -> None:
    """Interrupt each tier as Ctrl-C would, so that its tests take down what they have started."""
    Lane.interrupted.set()
    for process in list(Lane.running):
        os.killpg(process.pid, signal.SIGINT)


def main(program: str, named: list[str]) -> int:
    """Run the lanes; the value is the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    started = time.monotonic()
    lanes = [Lane(program, name.split(","), len(named) > 1, name != named[-1]) for name in named]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    results = [result for lane in lanes for result in lane.results]
    failures = [result.tier for result in results if result.status]
    for tier in failures if len(lanes) > 1 else ():
        say(f"== {tier}\n{log_of(tier).read_text(errors='replace')}")
    for result in results:
        print("\n".join([str(result), *failures_of(result.tier)]))
    counts = [count(result.tier) for result in results]
    passed, failed, skipped = (sum(each[column] for each in counts) for column in range(3))
    cost = f"{time.monotonic() - started:.0f} s, and {sum(each.computed for each in results):.0f} s of CPU"
    print(f"{passed} passed, {failed} failed, {skipped} skipped in {cost}", flush=True)
    if Lane.interrupted.is_set():
        say("Interrupted.")
        return 130
    if failures:
        logs = f"The logs of servers are in build/, those of steps in {os.environ.get('CACHE', 'the cache')}/logs."
        say(f"Something failed: {', '.join(failures)}. The lines above say what. {logs}")
        return 1
    say('All is well. "make demo" shows the whole at work, "make clean" removes the local cluster.')
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
