"""A pod without Kubernetes: the two containers' commands as processes of this machine, on their own ports."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from tests.forked import Forked, preload
from tests.ports import free_port
from tests.waiting import eventually

import viridian_serving
from viridian_serving.triton import shared_memory

ROOT = Path(__file__).parents[2]
SOURCES = (Path(viridian_serving.__file__).parents[1], ROOT / "operator")
"""Our own package as it is tested, plain or compiled, and the one that both images have."""
PORTS = (
    "HTTP_PORT",
    "FALLBACK_PORT",
    "GRPC_PORT",
    "METRICS_PORT",
    "TRITON_HTTP_PORT",
    "TRITON_GRPC_PORT",
    "TRITON_METRICS_PORT",
)
COMMANDS = "viridian_serving.commands"
for _part in ("fetch", "triton", "api"):
    preload(f"{COMMANDS}.{_part}")
HURRIED = {"viridian_serving.artifacts.retries._FIRST_PAUSE": 0.02}
"""The fetch container tries again at once: how long it waits, test_retries.py holds."""
IDENTITY_LABELS = {"model_namespace": "ml", "model": "m", "revision": "m-1"}
Process = subprocess.Popen[bytes] | Forked
"""A container of a pod."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Pod:
    directory: Path
    ports: dict[str, int]
    settings: dict[str, str]
    environ: dict[str, str] = field(default_factory=dict)
    """Variables that are not ours."""
    file_limit: int | None = None
    """Bytes that a file may have: beyond them, the disk is full."""
    triton: Process | None = None
    api: Process | None = None
    logs: list[Path] = field(default_factory=list)
    sources: Sequence[Path] | None = None
    """Where its packages are. Without it they are those that the tests import, and its processes are forked: what they
    import takes longer than all else that they do until the pod is ready."""

    @classmethod
    def create(cls, directory: Path, **settings: str) -> "Pod":
        ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        return cls(directory, ports, settings)

    @property
    def environment(self) -> dict[str, str]:
        given = {
            "NAMESPACE": "ml",
            "MODEL": "m",
            "MODEL_VERSION": "v1",
            "MODEL_URI": "image:///models/m/v1",
            "MODEL_FORMAT": "onnx",
            "REVISION": "m-1",
            "COLOR": "blue",
            "POD_UID": f"uid{self.ports['HTTP_PORT']}",
            "TIMEOUT": "10s",
            "SCRAPE_INTERVAL": "200ms",
            "DRAIN_DELAY": "300ms",
            "GRACE": "15s",
            "BIND": "127.0.0.1",
            "IMAGE_ROOT": str(self.directory),
            "MODEL_MOUNT": str(self.directory / "mount"),
            "CREDENTIALS_DIR": str(self.directory / "credentials"),
            "RUN_DIR": str(self.directory / "run"),
            "TERMINATION_LOG": str(self.directory / "termination-log"),
            **{name: str(port) for name, port in self.ports.items()},
            **self.settings,
        }
        own = {key: value for key, value in os.environ.items() if not key.startswith("VIRIDIAN_")}
        return (
            own
            | self.environ
            | {"PYTHONPATH": os.pathsep.join(map(str, self.sources or SOURCES))}
            | {f"VIRIDIAN_{name}": value for name, value in given.items()}
        )

    @property
    def model_directory(self) -> Path:
        return self.directory / "models" / "m" / "v1"

    @property
    def termination_log(self) -> str:
        return (self.directory / "termination-log").read_text()

    def start_triton(self) -> Process:
        self.triton = self._start("triton")
        return self.triton

    def start_api(self) -> Process:
        self.api = self._start("api")
        return self.api

    def start_fetch(self) -> Process:
        if self.file_limit is None:
            return self._start("fetch", HURRIED)
        return self._start_alone("fetch", "prlimit", f"--fsize={self.file_limit}", "--")

    def start_fetch_alone(self) -> "subprocess.Popen[bytes]":
        """As a container does it: with nothing in memory before."""
        return self._start_alone("fetch")

    def _start(self, part: str, changes: Mapping[str, object] = MappingProxyType({})) -> Process:
        if self.sources is None:
            return Forked(f"{COMMANDS}.{part}", self.directory / f"{part}.log", self.environment, changes)
        return self._start_alone(part)

    def _start_alone(self, part: str, *through: str) -> "subprocess.Popen[bytes]":
        log = self.directory / f"{part}.log"
        # An earlier commit, against which a benchmark holds this one, may have its commands elsewhere.
        first, *_ = self.sources or SOURCES
        package = COMMANDS if (first / "viridian_serving" / "commands").is_dir() else "viridian_serving"
        with log.open("ab") as output:
            return subprocess.Popen(
                [*through, sys.executable, "-m", f"{package}.{part}"],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_ready(self) -> None:
        eventually(lambda: self.get("/ready").status == 200, self.log)

    def log(self) -> str:
        return "\n".join(file.read_text()[-3000:] for file in self.directory.glob("*.log"))

    # -- talking to it

    def get(self, path: str, port: str = "HTTP_PORT") -> Answer:
        return self.request("GET", path, port=port)

    def predict(self, body: object, port: str = "HTTP_PORT", **headers: str) -> Answer:
        return self.request("POST", "/predict", json.dumps(body).encode(), port=port, headers=headers)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        port: str = "HTTP_PORT",
        headers: dict[str, str] | None = None,
        seconds: float = 30,
    ) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.ports[port], timeout=seconds)
        sent = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        except OSError as error:
            return Answer(0, {}, str(error).encode())
        finally:
            connection.close()

    def feedback(self, document: object) -> Answer:
        return self.request("POST", "/feedback", json.dumps(document).encode())

    def samples(self, family: str) -> list[Sample]:
        """The family's samples on the page of now."""
        return samples_of(self.get("/metrics", "METRICS_PORT").body.decode(), family)

    def processes(self, name: str) -> list[int]:
        """The pod's processes whose program has this name."""
        return [pid for pid in children_in(self.directory) if name in Path(f"/proc/{pid}/exe").readlink().name]

    def rescues(self, family: str = "viridian_rescues") -> dict[str, int]:
        """Requests that stable answered, by reason; as published once everything up to now has been frozen."""
        samples = samples_of(self.metrics_after(time.time()), family)
        return {s.labels["reason"]: int(s.value) for s in samples if s.value}

    def failures(self) -> dict[tuple[str, str, str], float]:
        """Failed requests by type, status and sentence."""
        return {
            (each.labels["type"], each.labels["status"], each.labels["detail"]): each.value
            for each in self.samples("viridian_failures")
        }

    def gauge(self, name: str) -> float:
        """A number without labels, as it is at this moment."""
        page = self.get("/metrics", "METRICS_PORT").body.decode()
        return next(float(line.split()[1]) for line in page.splitlines() if line.startswith(f"{name} "))

    def calls(self) -> int:
        """Calls that the API has made to Triton."""
        return int(self.gauge("viridian_calls_total"))

    def counts(self) -> dict[tuple[str, str], int]:
        """Requests by via and outcome, as published once everything up to now has been frozen."""
        return counts_of(self.metrics_after(time.time()))

    def since(self, before: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
        """What was counted since these counts were taken."""
        now = self.counts()
        return {key: count - before.get(key, 0) for key, count in now.items() if count != before.get(key, 0)}

    def predictions(self) -> int:
        """Predictions that users got up to now, by its metrics."""
        page = self.get("/metrics", "METRICS_PORT").body.decode()
        return sum(int(sample.value) for sample in samples_of(page, "viridian_answered_predictions"))

    def metrics_after(self, moment: float) -> str:
        """The first page whose stamp is after the moment."""
        page = ""

        def stamped() -> bool:
            nonlocal page
            page = self.get("/metrics", "METRICS_PORT").body.decode()
            return stamp_of(page) > moment

        eventually(stamped, lambda: page)
        return page

    # -- its end

    def stop(self) -> None:
        """End all of it at once. How it ends when it is asked to, is for tests that ask it: it takes seconds."""
        started = [process for process in (self.api, self.triton) if process is not None]
        for process in started:
            process.kill()
        for process in started:
            process.wait()
        for pid in children_in(self.directory):
            with suppress(ProcessLookupError):  # some end with the one that has started them
                os.kill(pid, signal.SIGKILL)
        shared_memory.clear(self.environment["VIRIDIAN_POD_UID"])


@contextmanager
def running_pod(
    directory: Path, make_model: Callable[[Path], object], sources: Sequence[Path] | None = None, **settings: str
) -> Iterator[Pod]:
    pod = Pod.create(directory, **settings)
    pod.sources = sources
    make_model(pod.model_directory)
    try:
        pod.start_triton()
        pod.start_api()
        pod.wait_ready()
        yield pod
    finally:
        pod.stop()


def children_in(directory: Path, run: str = "run") -> list[int]:
    """Processes that a killed supervisor left behind; they are told by their model repository."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if f"{directory}/{run}".encode() in command:
                found.append(int(entry.name))
    return found


def nonzero(pod: Pod, family: str) -> dict[tuple[str, ...], float]:
    """Values that are not zero, by name and by the labels that are not the pod's own."""
    labels = ("via", "class", "feature", "le", "route", "code", "reason")
    return {
        (sample.name, *(sample.labels[name] for name in labels if name in sample.labels)): sample.value
        for sample in pod.samples(family)
        if sample.value
    }


def log_lines(pod: Pod) -> list[dict[str, Any]]:
    """The records on the pod's standard output, which the tests keep in one file with standard error."""
    text = (pod.directory / "api.log").read_text()
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def counts_of(page: str) -> dict[tuple[str, str], int]:
    return {
        (sample.labels["via"], sample.labels["outcome"]): int(sample.value)
        for sample in samples_of(page, "viridian_requests")
        if sample.value
    }


def samples_of(page: str, family: str) -> list[Sample]:
    """The samples of one family. Nothing else of the page is parsed: a test asks often, and pages are long."""
    lines = page.splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if re.match(rf"# HELP {family}(_total)? ", line))
    end = next((i for i in range(first + 1, len(lines)) if lines[i].startswith("# HELP ")), len(lines))
    (found,) = text_string_to_metric_families("".join(lines[first:end]))
    return found.samples


def stamp_of(page: str) -> float:
    return samples_of(page, "viridian_counters_stamp_seconds")[0].value


def free_ports(number: int) -> list[int]:
    return [free_port() for _ in range(number)]


async def post_many(pod: Pod, bodies: list[object], clients: int = 16, **headers: str) -> list[Answer]:
    """Send requests over a number of connections at the same time; answers in the requests' order."""
    answers: list[Answer | None] = [None] * len(bodies)
    waiting = iter(enumerate(bodies))

    async def client() -> None:
        for position, body in waiting:
            answers[position] = await asyncio.to_thread(pod.predict, body, **headers)

    await asyncio.gather(*(client() for _ in range(clients)))
    return [answer for answer in answers if answer is not None]
