"""The memory of a server with all its processes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Memory:
    """How much of it, and how it was counted."""

    mib: float
    how: str
    """PSS, in which what processes share is counted once; RSS, where the kernel gives no more than that."""


def used_by(roots: Iterable[int]) -> Memory:
    """What processes use now, with their children and children's children."""
    return _used([pid for root in roots for pid in tree(root)])


def each_of(roots: Iterable[int]) -> dict[str, Memory]:
    """As `used_by`, for each process by itself, by name; processes of one name are told apart by a number."""
    found: dict[str, Memory] = {}
    for pid in (pid for root in roots for pid in tree(root)):
        name = read_of(f"/proc/{pid}/comm").strip() or "gone"
        number = sum(known.split(" ")[0] == name for known in found)
        found[f"{name} {number + 1}" if number else name] = _used([pid])
    return found


def _used(pids: Sequence[int]) -> Memory:
    try:
        return Memory(sum(_kib(pid, "smaps_rollup", "Pss") for pid in pids) / 1024, "PSS")
    except PermissionError:
        return Memory(sum(_kib(pid, "status", "VmRSS") for pid in pids) / 1024, "RSS")


def tree(pid: int) -> Iterator[int]:
    """A process, its children, and children's children."""
    yield pid
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in read_of(thread).split():
            yield from tree(int(child))


def _kib(pid: int, file: str, name: str) -> int:
    lines = read_of(f"/proc/{pid}/{file}").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


def read_of(file: "str | Path") -> str:
    """What a file of a process holds; nothing when the process has ended in the meantime."""
    try:
        return Path(file).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
