"""Open-loop load: requests leave at a fixed rate, whether or not earlier ones were answered.

A closed loop would slow down together with the server and so hide what its users suffer. Latency is measured from the
moment at which a request was meant to leave.

The demonstration runs this as its own process, so that drawing the screen delays no request. It also works alone:
`python -m examples.demo.load --url http://127.0.0.1:8080/digits/predict --samples FILE --records FILE`.
"""

import argparse
import asyncio
import json
import resource
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import aiohttp

from .records import CONNECT, LOST, NOT_SENT, TIMEOUT, UNREADABLE, Answer, AnswerReader, Totals, write_answer

MOST_IN_FLIGHT = 2000
"""Requests without an answer, beyond which no more are sent, so that a hanging server cannot exhaust this machine."""
_LONGEST_REASON = 100
"""Characters of a text: enough for all that Envoy says."""
OTHER_FILES = 100
"""Files that the load may have open beside its connections."""


@dataclass(frozen=True)
class Sample:
    """An image as the body of a request, and the digit on it."""

    body: bytes
    label: int


def read_samples(path: Path) -> list[Sample]:
    """The file that examples/digits/train.py writes."""
    document = json.loads(path.read_text())
    return [
        Sample(json.dumps({"X": instance}).encode(), label)
        for instance, label in zip(document["instances"], document["labels"], strict=True)
    ]


@dataclass(frozen=True)
class Plan:
    """What to send, where, how often and how long."""

    url: str
    samples: Sequence[Sample]
    rate: float
    seconds: float
    timeout: float
    host: str = ""
    """The Host header, for routes that have a host name; empty for the one in the URL."""

    @property
    def requests(self) -> int:
        """How many requests the whole plan holds."""
        return int(self.rate * self.seconds)


class Load:
    """Plays a plan and records what comes back."""

    def __init__(self, plan: Plan, records: TextIO) -> None:
        self._plan = plan
        self._records = records
        self._in_flight = 0
        self._stop = asyncio.Event()
        headers = {"Content-Type": "application/json"}
        self._headers = headers | ({"Host": plan.host} if plan.host else {})

    def stop(self) -> None:
        """Send nothing more; `run` returns when everything that was sent is answered."""
        self._stop.set()

    async def run(self) -> None:
        """Send until the plan is done or `stop` is called, and await the last answers."""
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(connector=connector, headers=self._headers) as session,
            asyncio.TaskGroup() as requests,
        ):
            start = time.monotonic()
            start_of_day = time.time()
            for number in range(self._plan.requests):
                offset = number / self._plan.rate
                if await self._stopped_before(start + offset):
                    break
                if self._in_flight >= MOST_IN_FLIGHT:
                    write_answer(self._records, Answer(start_of_day + offset, 0.0, None, "", "", NOT_SENT, None))
                    continue
                sample = self._plan.samples[number % len(self._plan.samples)]
                self._in_flight += 1
                requests.create_task(self._send(session, sample, start_of_day + offset, start + offset))

    async def _stopped_before(self, moment: float) -> bool:
        """Await the moment, or the wish to stop."""
        delay = moment - time.monotonic()
        if delay > 0:
            try:
                async with asyncio.timeout(delay):
                    await self._stop.wait()
            except TimeoutError:
                return False
        return self._stop.is_set()

    async def _send(self, session: aiohttp.ClientSession, sample: Sample, sent_at: float, start: float) -> None:
        status, revision, version, failure, right, rescued = None, "", "", "", None, False
        try:
            async with asyncio.timeout(self._plan.timeout):
                async with session.post(self._plan.url, data=sample.body) as response:
                    body = await response.read()
            status = response.status
            revision = response.headers.get("Viridian-Revision", "")
            version = response.headers.get("Viridian-Version", "")
            rescued = response.headers.get("Viridian-Fallback") == "stable"
            if status == 200:
                right = predicted_digit(body) == sample.label
            else:
                failure = f"HTTP {status} {reason(body)}".rstrip()
        except TimeoutError:
            failure = TIMEOUT
        except aiohttp.ClientConnectorError:
            failure = CONNECT
        except aiohttp.ClientError:
            failure = LOST
        except ValueError:
            failure = UNREADABLE
        finally:
            self._in_flight -= 1
        latency = time.monotonic() - start
        write_answer(self._records, Answer(sent_at, latency, status, revision, version, failure, right, rescued))


def predicted_digit(body: bytes) -> Any:  # noqa: ANN401 - whatever the server calls its prediction
    """The prediction in an answer of `/predict` to a single instance; None when there is none."""
    document = json.loads(body)
    return document.get("prediction") if isinstance(document, dict) else None


def reason(body: bytes) -> str:
    """Why a request failed, by the body of its answer: a problem's type (RFC 9457), or the first line of a text.

    A gateway that reaches no pod answers with a text of its own.
    """
    try:
        document = json.loads(body)
    except ValueError:
        return body.partition(b"\n")[0].decode(errors="replace").strip()[:_LONGEST_REASON]
    kind = document.get("type") if isinstance(document, dict) else None
    return kind.removeprefix("urn:viridian:problem:") if isinstance(kind, str) else ""


def summary(totals: Totals) -> str:
    """Return what became of all requests, in a line."""
    failures = ", ".join(f"{count:,} {failure}" for failure, count in totals.failures.most_common())
    versions = [
        f"{version} answered {count:,}, {totals.accuracy(version) or 0:.1%} of them right"
        for version, count in sorted(totals.by_version.items())
    ]
    failed = f"{totals.failed:,} failed" + (f" ({failures})" if failures else "")
    return "; ".join([f"{totals.requests:,} requests, {failed}", *versions]) + "."


def allow_connections() -> None:
    """Let this process have as many connections as requests may be in flight.

    Many shells allow 1024 open files. A gateway that is slow for some seconds would then make the load itself fail.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_IN_FLIGHT + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def _stop_at_end_of(stdin: TextIO, load: Load) -> None:
    """Stop the load when the process that started it closes the pipe, or is gone."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), stdin)
    await reader.read()
    load.stop()


async def _main(arguments: argparse.Namespace) -> None:
    plan = Plan(
        url=arguments.url,
        samples=read_samples(arguments.samples),
        rate=arguments.rate,
        seconds=arguments.seconds,
        timeout=arguments.timeout,
        host=arguments.host,
    )
    # Line by line, so that a reader sees whole records soon.
    with arguments.records.open("w", buffering=1) as records:
        load = Load(plan, records)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, load.stop)
        parent = asyncio.create_task(_stop_at_end_of(sys.stdin, load)) if arguments.until_stdin_closes else None
        await load.run()
        if parent is not None:
            parent.cancel()


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description="Send real samples at a fixed rate and record every answer.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--host", default="", help="Host header, when the route has a host name")
    parser.add_argument("--samples", type=Path, required=True, help="file written by examples/digits/train.py")
    parser.add_argument("--records", type=Path, required=True, help="file that gets one JSON line per request")
    parser.add_argument("--rate", type=float, default=120.0, help="requests per second")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to send, at most")
    parser.add_argument("--timeout", type=float, default=15.0, help="seconds after which a request counts as failed")
    parser.add_argument("--until-stdin-closes", action="store_true", help="also stop when the standard input ends")
    arguments = parser.parse_args()
    allow_connections()
    print(
        f"Sending {arguments.rate:g} requests a second to {arguments.url} for {arguments.seconds:g} s; Ctrl-C ends it"
        f" earlier. Each answer is a line in {arguments.records}.",
        flush=True,
    )
    asyncio.run(_main(arguments))
    totals = Totals()
    totals.add(AnswerReader(arguments.records).read_new())
    print(summary(totals))


if __name__ == "__main__":
    main()
