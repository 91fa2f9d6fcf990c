"""How the servers run: as the commands that a user would run, with the same model file."""

import atexit
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPException
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tests.serving.pod import ROOT, Pod, free_ports, running_pod
from tests.waiting import eventually

from .questions import FLOWERS, Question, ask
from .workloads import Workload

PEERS = Path(__file__).with_name("peers")
_START = 120
"""Seconds for a server to start."""
_ONE_THREAD = {"CPU_LIMIT": "1"}
"""For an inference, as in every other server here."""


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    port: int
    model: Path
    """The file that it serves."""
    processes: tuple[int, ...]
    """Those that it consists of, without their children."""


@cache
def compiled(tree: Path = ROOT) -> tuple[Path, ...]:
    """Where the packages of a checkout are, compiled as in its image; a tree from before that has them plain."""
    if not (tree / "serving-image" / "compile.py").exists():
        return tree / "serving-image", tree / "operator"
    command = [ROOT / "dev" / "toolchain" / "compiled.sh", tree]
    made = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return (Path(made.stdout.strip()),)


@cache
def tree_of(commit: str) -> Path:
    """A folder with what a commit has of the serving image; it is left to the temporary folder's end."""
    folder = Path(mkdtemp(prefix="bench-serving-against-"))
    atexit.register(shutil.rmtree, folder)
    archive = ["git", "-C", str(ROOT), "archive", commit, "serving-image", "operator"]
    packed = subprocess.run(archive, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-C", folder], check=True, input=packed)
    return folder


@contextmanager
def viridian(folder: Path, workload: Workload, sources: Sequence[Path] | None = None) -> Iterator[Running]:
    """Both containers of our pod, by default with its modules compiled, as in the image."""
    sources = compiled() if sources is None else sources
    with running_pod(folder, workload.make, sources, **_ONE_THREAD, SCRAPE_INTERVAL="15s") as pod:
        yield Running(pod.ports["HTTP_PORT"], _model_of(pod), tuple(p.pid for p in (pod.triton, pod.api) if p))


@contextmanager
def triton(folder: Path, workload: Workload) -> Iterator[Running]:
    """The Triton of our pod, with the same configuration, asked directly."""
    assert workload.tritons is not None
    question, sample = workload.tritons, workload.samples[0]
    pod = Pod.create(folder, **_ONE_THREAD)
    workload.make(pod.model_directory)
    port = pod.ports["TRITON_HTTP_PORT"]
    try:
        pod.start_triton()
        eventually(lambda: _predicts(port, question, sample), pod.log, _START)
        yield Running(port, _model_of(pod), tuple(pod.processes("tritonserver")))
    finally:
        pod.stop()


def _model_of(pod: Pod) -> Path:
    return pod.model_directory / "model.onnx"


@dataclass(frozen=True)
class Peer:
    """A server in its own environment."""

    requirements: str
    """Its file in requirements/bench."""
    question: Question
    arguments: Callable[[Sequence[int]], Sequence[str]]
    """Of the interpreter, for three free ports, the first of which is that for HTTP."""
    files: Callable[[Sequence[int]], Mapping[str, str]] = field(default=lambda _: {})
    """What it reads from its folder, by file name."""

    @contextmanager
    def run(self, folder: Path, workload: Workload) -> Iterator[Running]:
        """Run it in an empty folder until the end of the block.

        Args:
            folder: The folder.
            workload: That of the small model: nothing else is asked of these.

        Raises:
            AssertionError: It does not start.
        """
        ports = free_ports(3)
        model = Path(str(workload.make(folder / "model")))
        for name, content in self.files(ports).items():
            (folder / name).write_text(content)
        environment = os.environ | {
            "PYTHONPATH": str(PEERS),
            "IRIS_MODEL": str(model),
            "ORT_DISABLE_TELEMETRY": "1",
            "BENTOML_DO_NOT_TRACK": "true",
            "RAY_USAGE_STATS_ENABLED": "0",
            "BENTOML_HOME": str(folder / "bentoml"),
        }
        command = [interpreter(self.requirements), *self.arguments(ports)]
        log = folder / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

        def answers() -> bool:
            if process.poll() is not None:
                raise AssertionError(f"{command} ended with {process.returncode}: {log.read_text()[-3000:]}")
            return _predicts(ports[0], self.question)

        try:
            eventually(answers, lambda: log.read_text()[-3000:], _START)
            yield Running(ports[0], model, (process.pid,))
        finally:
            _stop(process)


def interpreter(requirements: str) -> str:
    """The interpreter of an environment with these packages, which is made if it is not there."""
    file = ROOT / "requirements" / "bench" / f"{requirements}.txt"
    made = subprocess.run(
        [ROOT / "dev" / "toolchain" / "environment.sh", file], check=True, stdout=subprocess.PIPE, text=True
    )
    return made.stdout.strip()


def _predicts(port: int, question: Question, sample: Any = FLOWERS[1]) -> bool:
    try:
        status, _ = ask(port, question, sample)
    except (OSError, HTTPException):
        return False
    return status == 200


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End a server; what it leaves behind of its own processes is killed."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
