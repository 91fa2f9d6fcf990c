"""The shared memory through which Triton and the processes of its python backend talk."""

from pathlib import Path
from typing import Final

_WHERE: Final = Path("/dev/shm")  # noqa: S108  that is where shared memory lives


def prefix(pod_uid: str) -> str:
    """Give the beginning of the names of a pod's regions."""
    return f"viridian-{pod_uid}-"


def clear(pod_uid: str) -> None:
    """Remove what a Triton that was killed has left behind: it outlives the container, and on a machine the process."""
    for region in _WHERE.glob(f"{prefix(pod_uid)}*"):
        region.unlink(missing_ok=True)
