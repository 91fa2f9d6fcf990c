"""How many CPUs this container may use.

ONNX Runtime starts one thread per core of the *node* unless told otherwise. Under a CPU quota those threads are
throttled together, and the tail latency is the quota's period; so the thread count follows the limit.
"""

import os
from pathlib import Path


def parse_cpus(text: str) -> float:
    """Read a Kubernetes CPU quantity.

    Args:
        text: Cores (``2``, ``0.5``) or thousandths of a core (``500m``).

    Returns:
        Cores.

    Raises:
        ValueError: The text is not a positive CPU quantity.
    """
    sentence = f"{text!r} is not a number of CPUs; write cores like 2 or 0.5, or thousandths like 500m"
    try:
        cores = float(text[:-1]) / 1000 if text.endswith("m") else float(text)
    except ValueError:
        raise ValueError(sentence) from None
    if not 0 < cores < float("inf"):
        raise ValueError(sentence)
    return cores


def cgroup_limit(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Read the CPU quota of this container from the cgroup files, version 2 or 1.

    Args:
        root: Where the cgroup file system is mounted.

    Returns:
        Cores, or None when there is no quota.
    """
    unified = root / "cpu.max"
    if unified.is_file():
        quota, period = unified.read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    legacy = root / "cpu" / "cpu.cfs_quota_us"
    if legacy.is_file():
        microseconds = int(legacy.read_text())
        if microseconds > 0:
            return microseconds / int(legacy.with_name("cpu.cfs_period_us").read_text())
    return None


def inference_threads(limit: float | None, available: int | None = None) -> int:
    """Choose the number of threads for one inference.

    Rounded down, because a thread too many is throttled with all the others; at least one.

    Args:
        limit: The container's CPU limit in cores, None when it has none.
        available: CPUs this process may be scheduled on; asked of the kernel by default.

    Returns:
        Number of threads.
    """
    cores = len(os.sched_getaffinity(0)) if available is None else available
    return max(1, cores if limit is None else min(cores, int(limit)))
