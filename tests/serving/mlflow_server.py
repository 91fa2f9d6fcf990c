"""MLflow's own tracking server, on SQLite and with users, behind a proxy that does what it cannot be asked to do."""

import atexit
import functools
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from tests.component.harness.processes import start
from tests.ports import free_port
from tests.serving.store_servers import Proxy, Reply, StoreHandler, is_answering, output_of, serving

from viridian_serving.artifacts.credentials import basic

USER = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": "a-password-of-mlflow"}
_AUTHORIZATION = {"Authorization": basic(*USER.values())}
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
SCHEME = "mlflow-artifacts:/"
_START = 300
"""Seconds for it to start, on a busy machine: it imports itself three times, and makes its tables one by one."""
_USERS = """\
[mlflow]
default_permission = READ
database_uri = sqlite:///{directory}/users.db
admin_username = {MLFLOW_TRACKING_USERNAME}
admin_password = {MLFLOW_TRACKING_PASSWORD}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""


@dataclass
class Tracking(Proxy):
    """A tracking server."""

    versions: set[str] = field(default_factory=set)
    ranges: bool = True
    """Whether it sends a part of a file that is asked for, and not the whole."""

    lacks: str = ""
    """A part of the addresses that it does not know, as earlier versions do not."""

    def answer(self, handler: StoreHandler) -> Reply:
        if self.lacks and self.lacks in handler.path:
            return Reply(404, {}, b"Not Found")
        if not self.ranges:
            del handler.headers["Range"]
        return super().answer(handler)

    def is_content(self, handler: StoreHandler, reply: Reply) -> bool:
        return handler.path.startswith(f"{_ARTIFACTS}/") and reply.status in (200, 206)

    def run(self) -> tuple[str, str]:
        """Start a run; return its id, and the folder of its artifacts below those of the server."""
        started = self.ask("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})["run"]["info"]
        return started["run_id"], started["artifact_uri"].removeprefix(SCHEME)

    def register(self, name: str, source: str, run: str | None = None) -> None:
        """Register a version of a model whose files are somewhere."""
        if name not in self.versions:
            self.ask("POST", "/api/2.0/mlflow/registered-models/create", {"name": name})
        self.versions.add(name)
        self.ask("POST", "/api/2.0/mlflow/model-versions/create", {"name": name, "source": source, "run_id": run})

    def put(self, path: str, content: bytes) -> None:
        """Upload an artifact."""
        self.ask("PUT", f"{_ARTIFACTS}/{quote(path)}", content)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the server itself."""
        connection = HTTPConnection("127.0.0.1", self.behind, timeout=60)
        try:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers = {**_AUTHORIZATION, "Content-Type": "application/json"}
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            said = answer.read()
            assert answer.status == 200, said
            return json.loads(said) if said.startswith(b"{") else None
        finally:
            connection.close()


@functools.cache
def python_of_mlflow() -> str:
    """An environment with MLflow; it is made now if it is missing."""
    return output_of("dev/toolchain/environment.sh requirements/mlflow.txt")


@contextmanager
def tracking_server(
    directory: Path, destination: str = "", environ: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Tracking]:
    """Run a server that hands artifacts on, from its own disk or from a store."""
    directory.mkdir(parents=True, exist_ok=True)
    with _running(directory, destination, environ) as port, serving(tracking := Tracking(behind=port), directory):
        yield tracking


@contextmanager
def shared_tracking_server(directory: Path) -> Iterator[Tracking]:
    """A proxy of one's own, before the server that all tests of this process share: its start takes 16 s of a core.

    Whoever registers a model gives it a name that nobody else does.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with serving(tracking := Tracking(behind=_of_this_process()), directory):
        yield tracking


@functools.cache
def _of_this_process() -> int:
    """The port of the shared server, which is started now if it does not run."""
    until_exit = ExitStack()
    atexit.register(until_exit.close)
    directory = until_exit.enter_context(tempfile.TemporaryDirectory(prefix="viridian-mlflow-"))
    return until_exit.enter_context(_running(Path(directory)))


@contextmanager
def _running(
    directory: Path, destination: str = "", environ: Mapping[str, str] = MappingProxyType({})
) -> Iterator[int]:
    """The server itself; the value is its port."""
    port = free_port()
    users = directory / "users.ini"
    users.write_text(_USERS.format(directory=directory, **USER))
    command = [
        *(python_of_mlflow(), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{directory}/mlflow.db", "--app-name", "basic-auth", "--workers", "1"),
        *("--serve-artifacts", "--artifacts-destination", destination or str(directory / "artifacts")),
    ]
    environment = {
        **os.environ,
        **environ,
        "MLFLOW_AUTH_CONFIG_PATH": str(users),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "of-this-test-alone",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    server = start("mlflow", command, directory / "mlflow.log", environment)
    try:
        server.wait_until(functools.partial(is_answering, port, "/health"), within=_START)
        yield port
    finally:
        server.stop()
