"""The triton container: checks the model, writes Triton's repository, and runs tritonserver."""

import logging
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from viridian_serving import config, cpu, supervisor
from viridian_serving.config import Settings
from viridian_serving.model_source import CONFIG_FILE, ModelError, locate, model_file
from viridian_serving.onnx_model import inspect
from viridian_serving.reporting import report
from viridian_serving.triton_config import config_pbtxt
from viridian_serving.triton_layout import TritonLayout
from viridian_serving.triton_repository import write_repository

LOG = logging.getLogger("viridian.triton")

HOST: Final = "127.0.0.1"
EXIT_TIMEOUT: Final = 5
"""Seconds that Triton waits for connections that stay open after SIGTERM; nobody but the API has one."""
_BACKEND_SCRIPT: Final = Path(__file__).with_name("triton_model.py")


def main() -> int:
    """Run the container.

    Returns:
        The exit code: tritonserver's, 1 when the model cannot be served, 2 when the environment is wrong.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = config.load(os.environ)
    except config.ConfigError as error:
        report(config.termination_log(os.environ), [f"The triton container cannot start: {s}" for s in error.sentences])
        return 2
    try:
        command, environment = prepare(settings, os.environ)
    except ModelError as error:
        report(settings.termination_log, [f"Model {settings.model} {settings.model_version} cannot be served: {error}"])
        return 1
    code = supervisor.run(command, environment, settings)
    if code not in (0, 128 + signal.SIGTERM):
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
    if settings.model_format == "triton":
        write_repository(locate(settings), settings.model, repository, layout.backends)
    else:
        _write_onnx_repository(settings, repository)
    layout.link_backends(backends)
    shm_prefix = f"viridian-{settings.pod_uid}-"
    _remove_shared_memory(shm_prefix)
    command = [
        str(layout.server),
        f"--id={settings.revision}",
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        f"--backend-config=python,shm-region-prefix-name={shm_prefix}",
        f"--http-address={HOST}",
        f"--http-port={settings.triton_http_port}",
        f"--grpc-address={HOST}",
        f"--grpc-port={settings.triton_grpc_port}",
        f"--metrics-address={HOST}",
        f"--metrics-port={settings.triton_metrics_port}",
        "--allow-gpu-metrics=false",
        # A repository as it is may leave its configuration to Triton; ours never does.
        *([] if settings.model_format == "triton" else ["--disable-auto-complete-config"]),
        f"--exit-timeout-secs={EXIT_TIMEOUT}",
    ]
    environment = dict(environ)
    environment["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), environ.get("PATH", os.defpath)))
    if layout.libraries is not None:
        environment["LD_LIBRARY_PATH"] = str(layout.libraries)
    return command, environment


def _write_onnx_repository(settings: Settings, repository: Path) -> None:
    file = model_file(locate(settings))
    model = inspect(file)
    limit = settings.cpu_limit or cpu.cgroup_limit()
    threads = cpu.inference_threads(limit)
    LOG.info("model %s, %s thread(s), CPU limit %s", file, threads, limit or "none")
    version = repository / settings.model / "1"
    version.mkdir(parents=True)
    shutil.copyfile(_BACKEND_SCRIPT, version / "model.py")
    parameters = {"model_file": str(file), "threads": str(threads)}
    (version.parent / CONFIG_FILE).write_text(config_pbtxt(settings.model, model, parameters))


def _remove_shared_memory(prefix: str) -> None:
    # A Triton that was killed leaves its regions behind, and the pod's /dev/shm outlives the container.
    for region in Path("/dev/shm").glob(f"{prefix}*"):  # noqa: S108  that is where shared memory lives
        region.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
