"""The part of the triton container that runs preprocess.py, with a process that sleeps in the place of Triton."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port
from tests.serving.pod import SOURCES
from tests.waiting import DEADLINE, eventually

from viridian_serving.triton.worker_host import SOCKET

SUPERVISOR = """
import logging, os
from viridian_serving.settings import config
from viridian_serving.triton import supervisor
from viridian_serving.commands import triton

logging.basicConfig(level=logging.INFO)
settings = config.load(os.environ)
raise SystemExit(supervisor.run(["/bin/sleep", "600"], {}, settings, triton.worker_host(settings, os.environ)))
"""


@dataclass
class Host:
    directory: Path
    process: "subprocess.Popen[bytes]"

    @property
    def socket(self) -> Path:
        return self.directory / "run" / SOCKET

    @property
    def log(self) -> str:
        return (self.directory / "host.log").read_text()

    @property
    def workers(self) -> list[int]:
        """Processes that run preprocess.py, and have not ended."""
        return [pid for pid in children_of(self.process.pid) if "preprocess_worker" in command_of(pid)]


def start_host(directory: Path, **environ: str) -> Host:
    """Start one, for a model in its own folder; which preprocess.py is run the API says."""
    (directory / "model.onnx").write_bytes(b"not looked at")
    (directory / "preprocess.py").touch()
    given = {
        **{"NAMESPACE": "ml", "MODEL": "m", "MODEL_VERSION": "v1", "MODEL_URI": "image:///", "REVISION": "m-1"},
        **{"COLOR": "blue", "POD_UID": "x", "IMAGE_ROOT": str(directory), "RUN_DIR": str(directory / "run")},
        **{name: str(free_port()) for name in ("METRICS_PORT", "TRITON_HTTP_PORT")},
    }
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, SOURCES)), **environ}
    environment |= {f"VIRIDIAN_{name}": value for name, value in given.items()}
    before = _inode(directory / "run" / SOCKET)
    with (directory / "host.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-c", SUPERVISOR], env=environment, stdout=log, stderr=log)
    host = Host(directory, process)
    eventually(lambda: _inode(host.socket) not in (None, before) or process.poll() is not None, lambda: host.log)
    assert process.poll() is None, host.log
    return host


@contextmanager
def worker_host(directory: Path, **environ: str) -> Iterator[Host]:
    host = start_host(directory, **environ)
    try:
        yield host
    finally:
        host.process.send_signal(signal.SIGTERM)
        assert host.process.wait(DEADLINE) == 128 + signal.SIGTERM, host.log


def children_of(parent: int) -> list[int]:
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _parent_of(pid) == parent]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    return _parent_of(pid) is not None


def _parent_of(pid: int) -> int | None:
    """The parent of a living process."""
    try:
        state, parent, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else int(parent)


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        return path.stat().st_ino, path.stat().st_ctime_ns
    except FileNotFoundError:
        return None
