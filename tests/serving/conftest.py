"""Fixtures that several modules use: pods that run for a module, and what the fetch container needs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.serving import models
from tests.serving.fetching import MODEL, mount
from tests.serving.files import FileServer, file_server, sha256
from tests.serving.pod import Pod, running_pod


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with running_pod(tmp_path_factory.mktemp("digits"), models.digits) as pod:
        yield pod


@pytest.fixture(scope="module")
def lookup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with running_pod(tmp_path_factory.mktemp("lookup"), models.lookup) as pod:
        yield pod


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Callable[..., Pod]]:
    opened = []

    def start(make_model: Callable[[Path], object], **settings: str) -> Pod:
        context = running_pod(tmp_path, make_model, **settings)
        opened.append(context)
        return context.__enter__()

    yield start
    for context in opened:
        context.__exit__(None, None, None)


# -- the fetch container


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ca")


@pytest.fixture
def server(authority: Path) -> Iterator[FileServer]:
    with file_server(authority) as server:
        server.files["/model.onnx"] = MODEL
        yield server


@pytest.fixture
def fetcher(server: FileServer, tmp_path: Path) -> Callable[..., Pod]:
    """A pod whose model is at the server, with the right digest."""

    def create(path: str = "/model.onnx", **settings: str) -> Pod:
        body = server.files.get(path.partition("?")[0], b"")
        pod = Pod.create(tmp_path, **{"MODEL_URI": server.url(path), "MODEL_DIGEST": sha256(body)} | settings)
        pod.environ = {"SSL_CERT_FILE": str(server.ca), "NO_PROXY": "*"}
        mount(pod).mkdir(exist_ok=True)
        return pod

    return create
