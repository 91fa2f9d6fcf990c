"""The triton container: checks the model, writes Triton's repository, and runs tritonserver."""

import logging
import os
import shutil
import signal
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from viridian_serving.artifacts.locate import CONFIG_FILE, ModelError, locate, model_file, model_home
from viridian_serving.artifacts.mlflow_folder import as_served
from viridian_serving.codec.tensors import Batch
from viridian_serving.contract.binding import PREPROCESS_FILE
from viridian_serving.settings import config, cpu
from viridian_serving.settings.config import Settings
from viridian_serving.settings.prctl import hide
from viridian_serving.settings.termination_log import report
from viridian_serving.triton import excuse, shared_memory, supervisor
from viridian_serving.triton.config_file import copy_backend, onnxruntime_config, python_config
from viridian_serving.triton.examination import examine_apart
from viridian_serving.triton.layout import TritonLayout
from viridian_serving.triton.model_code import refuse_beside
from viridian_serving.triton.native_repository import write_native_repository
from viridian_serving.triton.repository import write_repository
from viridian_serving.triton.worker_host import SOCKET, WorkerHost
from viridian_shared.model_format import NATIVE
from viridian_shared.pod import variables
from viridian_shared.pod.exit_codes import ENDED_UNDER_REQUEST

LOG = logging.getLogger("viridian.triton")

HOST: Final = "127.0.0.1"
EXIT_TIMEOUT: Final = 5
"""Seconds that Triton waits for connections that stay open after SIGTERM; nobody but the API has one."""
_OF_THE_API: Final = ("OTEL_", variables.FEEDBACK_KEY)
"""How variables begin that may hold a secret of the API's, such as headers of a collector. No code of a model's author
may find them in another process of this container, either."""
_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Variables by which libraries that run native models are told how many threads to have: else one for each CPU of the
node."""
"""What the python backend runs is copied from here."""


def main() -> int:
    """Run the container.

    Returns:
        The exit code: tritonserver's; `ENDED_UNDER_REQUEST` when a request may have ended it, 1 when the model cannot
        be served, 2 when the environment is wrong.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = config.load(os.environ)
    except config.ConfigError as error:
        report(config.termination_log(os.environ), [f"The triton container cannot start: {s}" for s in error.sentences])
        return 2
    hide()
    try:
        command, environment = prepare(settings, os.environ)
        workers = worker_host(settings, os.environ)
    except ModelError as error:
        report(settings.termination_log, [f"Model {settings.model} {settings.model_version} cannot be served: {error}"])
        return 1
    code = supervisor.run(command, environment, settings, workers)
    if code in (0, 128 + signal.SIGTERM):
        return code
    if excuse.take(settings.run_dir):
        sentence = f"tritonserver ended with exit code {code} while a request ran, whose input is refused for a while."
        report(settings.termination_log, [sentence])
        return ENDED_UNDER_REQUEST
    report(settings.termination_log, [f"tritonserver ended with exit code {code}; its log above says why."])
    return code


def prepare(settings: Settings, environ: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Check the model and write everything that tritonserver reads.

    Args:
        settings: Whose model, and where to write.
        environ: The environment that tritonserver's is derived from.

    Returns:
        The command and its environment.

    Raises:
        ModelError: The model cannot be served, or this image has no Triton.
    """
    layout = TritonLayout.find(settings.triton_home)
    repository = settings.run_dir / "repository"
    backends = settings.run_dir / "backends"
    for directory in (repository, backends):
        shutil.rmtree(directory, ignore_errors=True)
    if not settings.allow_model_code:
        refuse_beside(model_home(settings))
    home, form = model_home(settings), settings.model_format
    if form == "mlflow":
        form, home = as_served(home, settings.run_dir / "mlflow")
    if form == "triton":
        allow_code = settings.allow_model_code
        write_repository(locate(settings), settings.model, repository, layout.backends, allow_code=allow_code)
    elif form in NATIVE:
        write_native_repository(
            home,
            form,
            settings.model,
            repository,
            trusted=settings.model_trusted,
            allow_code=settings.allow_model_code,
        )
    else:
        file = model_file(locate(settings) if settings.model_format == "onnx" else home)
        _write_onnx_repository(settings, file, repository, layout.backends)
    libpython = layout.link_backends(backends)
    shared_memory.clear(settings.pod_uid)
    command = [
        str(layout.server),
        f"--id={settings.revision}",
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        f"--backend-config=python,shm-region-prefix-name={shared_memory.prefix(settings.pod_uid)}",
        f"--http-address={HOST}",
        f"--http-port={settings.triton_http_port}",
        f"--grpc-address={HOST}",
        f"--grpc-port={settings.triton_grpc_port}",
        f"--metrics-address={HOST}",
        f"--metrics-port={settings.triton_metrics_port}",
        "--allow-gpu-metrics=false",
        f"--log-info={str(settings.triton_log_info).lower()}",
        # A repository as it is may leave its configuration to Triton; ours never does.
        *([] if form == "triton" else ["--disable-auto-complete-config"]),
        f"--exit-timeout-secs={EXIT_TIMEOUT}",
    ]
    environment = {name: value for name, value in environ.items() if not name.startswith(_OF_THE_API)}
    if form in NATIVE:
        threads = str(cpu.inference_threads(settings.cpu_limit or cpu.cgroup_limit()))
        environment = dict.fromkeys(_THREADS, threads) | environment
    environment["PATH"] = _paths(Path(sys.executable).parent, environ.get("PATH", os.defpath))
    # What the image sets leads to its drivers and accelerators.
    environment["LD_LIBRARY_PATH"] = _paths(layout.libraries, libpython, environ.get("LD_LIBRARY_PATH"))
    return command, environment


def worker_host(settings: Settings, environ: Mapping[str, str]) -> WorkerHost | None:
    """Listen for the API, which has preprocess.py run here if there is one.

    Args:
        settings: Whose model, and where to listen.
        environ: The environment that the processes' is derived from: a user's own variables are for that code.

    Raises:
        ModelError: Nothing can listen there.
    """
    if not settings.allow_model_code or not (model_home(settings) / PREPROCESS_FILE).is_file():
        return None
    path = settings.run_dir / SOCKET
    own = {name: value for name, value in environ.items() if not name.startswith((variables.PREFIX, *_OF_THE_API))}
    try:
        return WorkerHost(path, own)
    except OSError as error:
        raise ModelError(
            f"its {PREPROCESS_FILE} cannot be run, because nothing can listen on {path} ({error}); "
            f"let {variables.PREFIX}RUN_DIR be a folder that can be written"
        ) from error


def _paths(*paths: Path | str | None) -> str:
    return os.pathsep.join(str(path) for path in paths if path)


def _write_onnx_repository(settings: Settings, file: Path, repository: Path, backends: Collection[str]) -> None:
    limit = settings.cpu_limit or cpu.cgroup_limit()
    threads = cpu.inference_threads(limit)
    model = examine_apart(file, threads)
    # Triton's own backend holds the model to what its file declares, and knows no tensors without dimensions.
    native = "onnxruntime" in backends and model.as_declared and all(tensor.shape for tensor in model.inputs)
    backend = "onnxruntime" if native else "python"
    LOG.info("model %s, backend %s, %s thread(s), CPU limit %s", file, backend, threads, limit or "none")
    if model.batching is not None and model.batching.mode is not Batch.JOINED:
        LOG.warning("requests are not joined: %s (batch in schema.yaml overrides this)", model.batching.reason)
    folder = repository / settings.model
    folder.mkdir(parents=True)
    if backend == "onnxruntime":
        # All of the model's folder: weights may lie in files beside it.
        (folder / "1").symlink_to(file.parent)
        text = onnxruntime_config(settings.model, model, file.name, threads)
    else:
        (folder / "1").mkdir()
        copy_backend(folder / "1", "backend_onnx")
        text = python_config(settings.model, model, file, threads)
    (folder / CONFIG_FILE).write_text(text)


if __name__ == "__main__":
    sys.exit(main())
