"""Threads beside the tests and the environment, which pytest changes while they run."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml
from kubernetes import client
from tests.component.harness.loopback import kubernetes_client, open_url

NO_PODS = b'{"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []}'


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(NO_PODS)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it so
        """Print nothing."""


@pytest.fixture
def api() -> Iterator[str]:
    """The URL of an API server without pods."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    """A thread that runs before the test does."""
    with ThreadPoolExecutor(1, "beside") as made:
        made.submit(int).result()
        yield made


def kubeconfig(folder: Path, api: str) -> Path:
    path = folder / "kubeconfig.yaml"
    named = {"name": "stub"}
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "stub",
                "clusters": [{**named, "cluster": {"server": api}}],
                "users": [{**named, "user": {"token": "stub"}}],
                "contexts": [{**named, "context": {"cluster": "stub", "user": "stub"}}],
            }
        )
    )
    return path


def test_a_kubernetes_client_in_a_thread_leaves_the_environment_alone(
    api: str, tmp_path: Path, thread: ThreadPoolExecutor
) -> None:
    # given
    core = client.CoreV1Api(kubernetes_client(kubeconfig(tmp_path, api)))
    # when, then
    assert thread.submit(core.list_pod_for_all_namespaces).result(30).items == []


def test_a_request_in_a_thread_leaves_the_environment_alone(api: str, thread: ThreadPoolExecutor) -> None:
    assert thread.submit(lambda: open_url(api).read()).result(30) == NO_PODS


def test_a_thread_that_iterates_over_the_environment_fails_every_time(thread: ThreadPoolExecutor) -> None:
    with pytest.raises(RuntimeError, match=r"the thread beside_0 iterates over os\.environ"):
        thread.submit(lambda: dict(os.environ)).result(30)


def test_no_proxy_of_the_environment_is_between_a_test_and_this_machine(
    api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a proxy that is not there
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    core = client.CoreV1Api(kubernetes_client(kubeconfig(tmp_path, api)))
    # when, then both kinds of client do without it
    assert core.list_pod_for_all_namespaces().items == []
    assert open_url(api).read() == NO_PODS
