"""The servers that are compared, each in the configuration in which it was found fastest, some as they come too."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.serving.pod import SOURCES

from .processes import PEERS, Peer, Running, compiled, tree_of, triton, viridian
from .questions import BENTOML, KSERVE, PLAIN, Question, open_inference
from .report import BEFORE
from .workloads import IRIS, Workload


@dataclass(frozen=True)
class Server:
    """One line of the table."""

    name: str
    configuration: str
    question: Callable[[Workload], Question | None]
    """How a prediction is asked for; None where it is not to be measured with this."""
    start: Callable[[Path, Workload], AbstractContextManager[Running]]
    """Runs it in an empty folder."""


_QUIET_LOGS = json.dumps({"version": 1, "disable_existing_loggers": False, "root": {"level": "WARNING"}})
"""No handlers: uvicorn then does not even put its access lines together."""


def _fastapi(workers: int) -> Peer:
    def arguments(ports: Sequence[int]) -> Sequence[str]:
        options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--workers", str(workers)]
        return ["-m", "uvicorn", "fastapi_app:app", "--port", str(ports[0]), *options]

    return Peer("fastapi", PLAIN, arguments)


def _kserve(*options: str) -> Peer:
    def arguments(ports: Sequence[int]) -> Sequence[str]:
        return [str(PEERS / "kserve_app.py"), f"--http_port={ports[0]}", f"--grpc_port={ports[1]}", *options]

    return Peer("kserve", KSERVE, arguments, lambda _: {"logs.json": _QUIET_LOGS})


def _mlserver(settings: Mapping[str, object], model_settings: Mapping[str, object]) -> Peer:
    def files(ports: Sequence[int]) -> Mapping[str, str]:
        http, grpc, metrics = ports
        return {
            "logs.json": _QUIET_LOGS,
            "settings.json": json.dumps(
                {"http_port": http, "grpc_port": grpc, "metrics_port": metrics, "host": "127.0.0.1", **settings}
            ),
            "model-settings.json": json.dumps(
                {"name": "iris", "implementation": "mlserver_runtime.Iris", **model_settings}
            ),
        }

    return Peer("mlserver", open_inference("iris"), lambda _: ["-m", "mlserver.cli.main", "start", "."], files)


def _bentoml(service: str) -> Peer:
    def arguments(ports: Sequence[int]) -> Sequence[str]:
        target = f"bentoml_service:{service}"
        return ["-m", "bentoml", "serve", target, "--working-dir", str(PEERS), "--port", str(ports[0])]

    return Peer("bentoml", BENTOML, arguments)


def _litserve(how: str) -> Peer:
    return Peer("litserve", PLAIN, lambda ports: [str(PEERS / "litserve_app.py"), str(ports[0]), how])


def _rayserve(how: str) -> Peer:
    return Peer("rayserve", PLAIN, lambda ports: [str(PEERS / "rayserve_app.py"), str(ports[0]), how])


def _server(name: str, configuration: str, peer: Peer) -> Server:
    return Server(name, configuration, lambda workload: peer.question if workload is IRIS else None, peer.run)


def against(commit: str) -> Server:
    """The pod of an earlier commit."""

    def start(folder: Path, workload: Workload) -> AbstractContextManager[Running]:
        return viridian(folder, workload, compiled(tree_of(commit)))

    return Server(f"{BEFORE}{commit}", "the pod of that commit", lambda workload: workload.ours, start)


def _plain(folder: Path, workload: Workload) -> AbstractContextManager[Running]:
    return viridian(folder, workload, SOURCES)


_MLSERVER_QUIET = {"debug": False, "logging_settings": "logs.json", "gzip_enabled": False}

SERVERS = (
    Server(
        "viridian", "the pod: prediction API in one process, Triton behind it", lambda workload: workload.ours, viridian
    ),
    Server("triton", "its own HTTP/JSON; Python backend, `dynamic_batching {}`", lambda each: each.tritons, triton),
    Server(
        "plain-viridian",
        "as `viridian`, with no module compiled",
        lambda workload: workload.ours if workload is IRIS else None,
        _plain,
    ),
    _server("fastapi-1", "uvicorn with uvloop and httptools, 1 worker, no access log", _fastapi(1)),
    _server("fastapi-2", "uvicorn with uvloop and httptools, 2 workers, no access log", _fastapi(2)),
    _server(
        "kserve-quiet",
        "2 workers, no logs",
        _kserve("--workers=2", "--log_config_file=logs.json", "--enable_latency_logging=false", "--enable_grpc=false"),
    ),
    _server("kserve-default", "as it comes", _kserve()),
    _server("mlserver-quiet", "in one process, no logs", _mlserver({"parallel_workers": 0, **_MLSERVER_QUIET}, {})),
    _server(
        "mlserver-batching",
        "adaptive batching, 32 requests or 5 ms",
        _mlserver({"parallel_workers": 0, **_MLSERVER_QUIET}, {"max_batch_size": 32, "max_batch_time": 0.005}),
    ),
    _server("mlserver-default", "as it comes", _mlserver({}, {})),
    _server("bentoml-quiet", "2 workers, no logs, no metrics", _bentoml("Quiet")),
    _server("bentoml-batching", "adaptive batching, no logs, no metrics", _bentoml("Batching")),
    _server("bentoml-default", "as it comes", _bentoml("Default")),
    _server("litserve-quiet", "2 workers, fast queue, no logs", _litserve("quiet")),
    _server(
        "litserve-batching",
        "adaptive batching, 32 requests or 5 ms, fast queue, no logs",
        _litserve("batching"),
    ),
    _server("litserve-default", "as it comes", _litserve("default")),
    _server("rayserve-quiet", "1 replica, 128 requests at a time, no logs", _rayserve("quiet")),
    _server(
        "rayserve-batching",
        "the same, adaptive batching, 32 requests or 5 ms",
        _rayserve("batching"),
    ),
    _server("rayserve-default", "as it comes", _rayserve("default")),
)
