"""How the servers run: as the commands that a user would run, with the same model file."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

from tests.serving import models
from tests.serving.pod import ROOT, Pod, eventually, free_ports, running_pod

from .questions import Question, ask, open_inference

TRITON_QUESTION = open_inference("m")
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


@contextmanager
def viridian(folder: Path) -> Iterator[Running]:
    """Both containers of our pod."""
    with running_pod(folder, models.iris, **_ONE_THREAD, SCRAPE_INTERVAL="15s") as pod:
        yield Running(pod.ports["HTTP_PORT"], _model_of(pod), tuple(p.pid for p in (pod.triton, pod.api) if p))


@contextmanager
def triton(folder: Path) -> Iterator[Running]:
    """The Triton of our pod, with the same configuration, asked directly."""
    pod = Pod.create(folder, **_ONE_THREAD)
    models.iris(pod.model_directory)
    port = pod.ports["TRITON_HTTP_PORT"]
    try:
        pod.start_triton()
        eventually(lambda: _predicts(port, TRITON_QUESTION), pod.log, _START)
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
    def run(self, folder: Path) -> Iterator[Running]:
        """Run it in an empty folder until the end of the block.

        Raises:
            AssertionError: It does not start.
        """
        ports = free_ports(3)
        model = models.iris(folder / "model")
        for name, content in self.files(ports).items():
            (folder / name).write_text(content)
        environment = os.environ | {
            "PYTHONPATH": str(PEERS),
            "IRIS_MODEL": str(model),
            "ORT_DISABLE_TELEMETRY": "1",
            "BENTOML_DO_NOT_TRACK": "true",
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


def _predicts(port: int, question: Question) -> bool:
    try:
        status, _ = ask(port, question)
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
