"""What a process uses, read from the kernel; what it asks for, from the proxy that it speaks through."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.component.harness.api_proxy import Request

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """CPU seconds since the start, and resident memory in bytes: now, and at the most so far."""

    cpu_seconds: float
    resident: int
    peak: int

    @classmethod
    def of(cls, pid: int) -> "Usage":
        """What a process has used so far."""
        folder = Path(f"/proc/{pid}")
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        peak = next(line for line in (folder / "status").read_text().splitlines() if line.startswith("VmHWM:"))
        return cls(
            cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS,
            resident=int((folder / "statm").read_text().split()[1]) * _PAGE,
            peak=int(peak.split()[1]) * 1024,
        )


def count_requests(requests: list[Request]) -> dict[str, int]:
    """Requests by verb and resource, as the API server's own metrics name them."""
    return dict(Counter(f"{_verb(request)} {request.resource}" for request in requests).most_common())


def _verb(request: Request) -> str:
    if request.method != "GET":
        return "dry run" if "dryRun=" in request.query else request.method.lower()
    if request.is_watch:
        return "watch"
    return "get" if request.name else "list"
