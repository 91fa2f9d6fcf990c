"""wrk: one thread that keeps a number of connections busy for some seconds."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = Path(__file__).with_name("post.lua")
JSON: Mapping[str, str] = {"Content-Type": "application/json"}
_TIMEOUT = 10
"""Seconds after which wrk counts a request as failed."""


@dataclass(frozen=True)
class Load:
    """What clients got."""

    good: int
    """Requests with a good answer."""
    requests_per_second: float
    """Those, in a second."""
    p50_ms: float
    p99_ms: float
    non_2xx: int
    """Requests with another answer, or none."""


def send(url: str, body: bytes, connections: int, seconds: int, headers: Mapping[str, str] = JSON) -> Load:
    """Send the same body again and again, each connection as soon as it has its answer.

    Args:
        url: Where to.
        body: What is sent.
        connections: Kept open, one request at a time on each.
        seconds: How long.
        headers: Of each request.

    Returns:
        What came of it.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
        command += ["--timeout", f"{_TIMEOUT}s", "--script", str(_SCRIPT), url, "--", file.name]
        command += [f"{name}: {value}" for name, value in headers.items()]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 30)
    return read(done.stdout)


def read(printed: str) -> Load:
    """Read what wrk printed; its last line is that of post.lua."""
    seen = json.loads(printed.splitlines()[-1])
    good = seen["requests"] - seen["bad_status"]
    return Load(
        good=good,
        requests_per_second=good / (seen["microseconds"] / 1e6),
        p50_ms=seen["p50_us"] / 1000,
        p99_ms=seen["p99_us"] / 1000,
        non_2xx=seen["bad_status"] + seen["unanswered"],
    )
