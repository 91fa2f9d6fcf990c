"""``viridian-serve``: a model on one's own machine, served as in a pod, by the same two programs.

It finds out what the model is, sets what the operator would set, runs the containers' commands as processes, and says
how to ask the model once it answers.
"""

import argparse
import asyncio
import errno
import json
import os
import random
import re
import socket
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, get_args

from viridian_serving.artifacts.detect import NAME, LocalModel, find
from viridian_serving.artifacts.locate import ModelError, model_home
from viridian_serving.artifacts.sample_file import SAMPLE_FILE, read_sample
from viridian_serving.commands.local_pod import run, say
from viridian_serving.commands.quickstart import Example, quickstart, request, sample, sample_command
from viridian_serving.http1.client import HttpClient, PeerUnreachableError, Reply
from viridian_serving.http1.listeners import open_listener
from viridian_serving.settings import config
from viridian_serving.settings.config import Settings
from viridian_serving.triton import shared_memory
from viridian_shared.pod import ports as pod_ports
from viridian_shared.pod.probes import READY
from viridian_shared.pod.variables import MODEL_TRUSTED, PREFIX

SERVED_NOT: Final = 1
USAGE: Final = 2
"""Exit codes."""

_DEFAULTS: Final = {
    "NAMESPACE": "local",
    "COLOR": "blue",
    # No gateway has to hear of the end. What runs at Ctrl-C is answered if that takes no longer than a person waits.
    "DRAIN_DELAY": "0s",
    "GRACE": "5s",
    "TRITON_LOG_INFO": "false",
}
TRUSTED: Final = {MODEL_TRUSTED: "true"}
"""What is set where the user trusts a model's author, loading which runs code."""
_ANY: Final = range(10_000, 32_768)
"""Ports that are nobody's in particular."""
_PORTS: Final = (
    *("GRPC_PORT", "FALLBACK_PORT", "METRICS_PORT"),
    *("TRITON_HTTP_PORT", "TRITON_GRPC_PORT", "TRITON_METRICS_PORT"),
)
_RETRY: Final = 0.1
"""Seconds between two questions whether the model is ready."""
_STARTING: Final = "Not ready: Triton has not loaded the model yet."
"""What needs no saying."""
_ASK: Final = 60.0
"""Seconds for an example to be answered."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a model until Ctrl-C.

    Args:
        arguments: Of the command line; this process's by default.

    Returns:
        The exit code: 0 after Ctrl-C or SIGTERM, 1 when the model cannot be served, 2 when the command is wrong.
    """
    given = _parser().parse_args(arguments)
    if not os.path.exists(given.model):  # Path's own fails where it may not look
        return _fail(USAGE, f"there is no {given.model} for this user; name the file or folder of a model")
    try:
        model = find(given.model, given.format)
    except ModelError as error:
        return _fail(SERVED_NOT, str(error))
    model = replace(model, name=given.name or model.name, version=given.version or model.version)
    try:
        port = free_ports(given.host, given.port)[0]
        others = dict(zip(_PORTS, free_ports(given.host, *[0] * len(_PORTS)), strict=True))
    except OSError as error:
        return _fail(SERVED_NOT, _port_fault(given.host, given.port, error))
    with tempfile.TemporaryDirectory(prefix="viridian-serve-") as directory:
        environ = {**os.environ, **(TRUSTED if given.trusted else {})}
        environment = environment_of(model, {"HTTP_PORT": port, **others}, given.host, Path(directory), environ)
        try:
            settings = config.load(environment)
        except config.ConfigError as error:
            return _fail(USAGE, str(error))
        say(f"Serving {model.path} (format {model.format}) as model {model.name}, version {model.version} …")
        end = asyncio.run(run(environment, lambda: greet(settings), say))
        shared_memory.clear(settings.pod_uid)
    for reason in end.reasons:
        say(reason)
    return 0 if end.by_signal else SERVED_NOT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="viridian-serve",
        description="Serves a model on this machine as a pod of Viridian would: Triton, and the prediction API.",
    )
    parser.add_argument("model", type=Path, help="an ONNX file, a folder with model.onnx, or a Triton model repository")
    parser.add_argument(
        "--port", type=_port, default=pod_ports.SPLIT, help=f"where it is asked; 0 takes a free one ({pod_ports.SPLIT})"
    )
    host = os.environ.get(f"{PREFIX}BIND") or "127.0.0.1"
    parser.add_argument("--host", default=host, help=f"address to listen on; :: for every one ({host})")
    parser.add_argument("--name", type=model_name, help="name of the model (that of its file or folder)")
    parser.add_argument("--version", type=_version, help="version of the model (by its folder's name, or dev)")
    parser.add_argument("--format", choices=get_args(config.Format), help="format of the model (found out)")
    parser.add_argument("--trusted", action="store_true", help="load a native model, where that runs the code in it")
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; write a number from 1 to 65535")
    return int(text)


def model_name(text: str) -> str:
    """Return a word of the command line that is the name of a model.

    Raises:
        ArgumentTypeError: It is none.
    """
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name of a model; write at most 57 lower-case letters, digits and dashes, a letter first"
        )
    return text


def _version(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,64}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no version; write a word such as v1.2.0")
    return text


def _fail(code: int, sentence: str) -> int:
    say(f"viridian-serve: {sentence}")
    return code


def free_ports(host: str, *wanted: int) -> list[int]:
    """Find out whether ports are free.

    Args:
        host: Address to listen on.
        wanted: Each a port, or 0 for any.

    Returns:
        The ports.

    Raises:
        OSError: One cannot be listened on.
    """
    with ExitStack() as sockets:
        found = [sockets.enter_context(_listener(host, port)) for port in wanted]
        return [each.getsockname()[1] for each in found]


def _listener(host: str, port: int) -> socket.socket:
    if port:
        return open_listener(host, port)
    # Not one that the kernel gives: until it is listened on again, somebody's connection might get it.
    for chosen in random.sample(_ANY, 100):
        try:
            return open_listener(host, chosen)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    return open_listener(host, 0)


def _port_fault(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken; end what listens there, or choose another: --port {port % 65535 + 1}"
    if error.errno == errno.EACCES:
        return f"this user may not listen on port {port}; choose one above 1023: --port {pod_ports.SPLIT}"
    return f"{host} is no address of this machine ({error.strerror}); choose another: --host 127.0.0.1"


def environment_of(
    model: LocalModel, ports: Mapping[str, int], host: str, directory: Path, environ: Mapping[str, str]
) -> dict[str, str]:
    """Write the environment of the two containers.

    Args:
        model: What is served.
        ports: By the names of their settings.
        host: Address to listen on.
        directory: Of this run's own, for what the containers write.
        environ: This process's. What it sets of the settings is left, unless the command line says otherwise.

    Returns:
        The environment.
    """
    chosen = {
        "MODEL": model.name,
        "MODEL_VERSION": model.version,
        "MODEL_FORMAT": model.format,
        "MODEL_URI": "image:///",
        "IMAGE_ROOT": str(model.path),
        "REVISION": f"{model.name}-1",
        "POD_UID": uuid.uuid4().hex,
        "HTTP_PORT": str(ports["HTTP_PORT"]),
        "BIND": host,
        "RUN_DIR": str(directory),
        "TERMINATION_LOG": str(directory / "termination-log"),
    }
    defaults = _DEFAULTS | {name: str(port) for name, port in ports.items()}
    settings = [(PREFIX + name, value) for name, value in defaults.items()]
    return dict(settings) | dict(environ) | {PREFIX + name: value for name, value in chosen.items()}


async def greet(settings: Settings) -> None:
    """Wait until the model answers, and say how to ask it.

    Args:
        settings: Of both containers.
    """
    host = settings.own_address
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}"
    api = HttpClient(host, settings.http_port, "the API")
    await _until_ready(api, settings, url)
    health = json.loads((await _ask(api, "GET", "/health")).body)
    schema = json.loads((await _ask(api, "GET", "/schema")).body)
    sys.stdout.write(quickstart(health, schema["features"], url, await _example(api, settings, schema["example"])))
    sys.stdout.flush()
    api.close()


async def _until_ready(api: HttpClient, settings: Settings, url: str) -> None:
    told = _STARTING
    advised = False
    while (why := await _why_not_ready(api)) is not None:
        if why not in (told, ""):
            told = why
            say(why)
        if SAMPLE_FILE in why and not advised:
            advised = True
            health = json.loads((await _ask(api, "GET", "/health")).body)
            say("With sizes and values of your own in it, this makes one:")
            say(f"  {sample_command(health['inputs'], str(_sample_file(settings)))}")
            say(f"Or ask it now at {url}/predict: the first request that it answers makes it ready.")
        await asyncio.sleep(_RETRY)


async def _why_not_ready(api: HttpClient) -> str | None:
    try:
        reply = await _ask(api, "GET", READY)
    except PeerUnreachableError:
        return ""
    return None if reply.status == 200 else str(json.loads(reply.body)["detail"])


def _sample_file(settings: Settings) -> Path:
    return model_home(settings) / SAMPLE_FILE


async def _example(api: HttpClient, settings: Settings, made_up: Mapping[str, Any]) -> Example | None:
    """Return a request that is answered, if there is one."""
    file = _sample_file(settings)
    body = read_sample(file.parent)
    for example in (*([sample(body, str(file))] if body is not None else []), request(made_up)):
        if (await _ask(api, "POST", "/predict", example.body)).status == 200:
            return example
    return None


async def _ask(api: HttpClient, method: str, path: str, body: bytes = b"") -> Reply:
    return await api.call(method, path, body=[body], deadline=asyncio.get_running_loop().time() + _ASK)


if __name__ == "__main__":
    sys.exit(main())
