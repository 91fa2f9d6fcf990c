"""Clusters are read and written by kubectl itself, which runs this plugin.

It knows the user's kubeconfig, credentials and proxies, and starts faster than a client library loads.
"""

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from viridian.api.errors import ViridianError

from .model import Json, Model

RESOURCE = "modeldeployments.viridian.dev"
_PAUSE = 2.0
"""Seconds before a broken connection is tried again."""


class KubectlFailed(ViridianError):
    """kubectl ended with an error; the message is its own."""


class NoSuchModel(KubectlFailed):
    """The namespace has no ModelDeployment of that name."""


class TimeUp(ViridianError):
    """The time to wait is over."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl with the user's choice of cluster and namespace; empty takes kubectl's own default."""

    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""

    def model(self, name: str) -> Model:
        """Read one ModelDeployment.

        Raises:
            NoSuchModel: there is none of that name.
            KubectlFailed: the cluster refuses, or does not answer.
        """
        return Model(self._json("get", RESOURCE, name, "--output=json"))

    def models(self, *, everywhere: bool) -> list[Model]:
        """Read all ModelDeployments of the namespace, or of all namespaces."""
        scope = ["--all-namespaces"] if everywhere else []
        return [Model(item) for item in self._json("get", RESOURCE, *scope, "--output=json")["items"]]

    def read(self, resource: str, name: str) -> Json:
        """Read one object of another kind."""
        return dict(self._json("get", resource, name, "--output=json"))

    def objects(self, resource: str, *selectors: str) -> list[Json]:
        """Read all objects of a kind that these selectors choose."""
        return [dict(item) for item in self._json("get", resource, *selectors, "--output=json")["items"]]

    def user(self) -> str:
        """Return the user's name as the API server knows it."""
        return str(self._json("auth", "whoami", "--output=json")["status"]["userInfo"]["username"])

    def annotate(self, name: str, annotations: dict[str, str]) -> Model:
        """Set annotations of a ModelDeployment, and return it."""
        pairs = [f"{key}={value}" for key, value in annotations.items()]
        manager = "--field-manager=kubectl-viridian"
        return Model(self._json("annotate", RESOURCE, name, *pairs, "--overwrite", manager, "--output=json"))

    def follow(self, name: str, timeout: float | None) -> Iterator[Model]:
        """Yield a ModelDeployment as it is, and after each change.

        A connection that breaks is made again; what has happened meanwhile is in the next state.

        Args:
            name: its name.
            timeout: seconds after which to stop; None for never.

        Raises:
            TimeUp: the time is over.
            NoSuchModel: it does not exist, or was deleted.
            KubectlFailed: the cluster refuses, or could not be reached at the beginning.
        """
        end = None if timeout is None else time.monotonic() + timeout
        seen = False
        while True:
            try:
                for model in self._states(name, end):
                    seen = True
                    yield model
            except NoSuchModel:
                raise
            except KubectlFailed:
                if not seen:
                    raise
            if end is not None and time.monotonic() >= end:
                raise TimeUp(f"the time is over, and the rollout of {name} is not")
            time.sleep(_PAUSE)

    def command(self, arguments: Sequence[str]) -> list[str]:
        """Return the command line that runs kubectl with these arguments and the user's choices.

        Raises:
            KubectlFailed: there is no kubectl.
        """
        program = shutil.which("kubectl")
        if program is None:
            raise KubectlFailed("kubectl is not in the PATH: install it, this plugin reads clusters with it")
        given = {"kubeconfig": self.kubeconfig, "context": self.context, "namespace": self.namespace}
        options = [f"--{key}={value}" for key, value in given.items() if value]
        return [program, *arguments, *options]

    def raw(self, path: str) -> Json:
        """Read a path of the API server as it is."""
        return dict(self._json("get", "--raw", path))

    def own_namespace(self) -> str:
        """Return the chosen namespace, or that of the context."""
        if self.namespace:
            return self.namespace
        config = self._json("config", "view", "--minify", "--output=json")
        return str(next((each["context"].get("namespace") for each in config["contexts"]), None) or "default")

    def stream(self, *arguments: str) -> subprocess.Popen[str]:
        """Start kubectl and leave its output to the caller; its errors go to ours."""
        return subprocess.Popen(self.command(arguments), stdout=subprocess.PIPE, text=True, errors="replace")  # noqa: S603

    def _states(self, name: str, end: float | None) -> Iterator[Model]:
        """The states in one watch, which itself says nothing of a model that does not exist."""
        yield self.model(name)
        for event in self._events(name, end):
            if event["type"] == "DELETED":
                raise NoSuchModel(f"ModelDeployment {name} was deleted")
            yield Model(event["object"])

    def _events(self, name: str, end: float | None) -> Iterator[Json]:
        """The events of one watch, until it ends or the time is over."""
        # Chosen by a selector: of a watch by name, kubectl leaves out the first event, with what changed meanwhile.
        chosen = f"--field-selector=metadata.name={name}"
        arguments = ("get", RESOURCE, chosen, "--watch", "--output-watch-events", "--output=json")
        process = subprocess.Popen(  # noqa: S603
            self.command(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        timer = threading.Timer(max(0.0, end - time.monotonic()), process.kill) if end is not None else None
        try:
            if timer is not None:
                timer.start()
            for line in process.stdout or ():
                if line.endswith("\n"):  # each event is a line; one that is cut off came too late
                    yield json.loads(line)
            errors = process.stderr.read() if process.stderr else ""
            if process.wait() > 0:
                raise _failure(errors, name)
        finally:
            if timer is not None:
                timer.cancel()
            process.kill()
            process.communicate()

    def _json(self, *arguments: str) -> Any:  # noqa: ANN401 - what the API server sends
        done = subprocess.run(self.command(arguments), capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise _failure(done.stderr, arguments[2] if len(arguments) > 2 else "")
        return json.loads(done.stdout)


def _failure(errors: str, name: str) -> KubectlFailed:
    """The words of kubectl itself, with the way out where it is known."""
    words = errors.strip().removeprefix("error: ") or "kubectl ended without a word"
    if f'{RESOURCE} "{name}" not found' in words:
        return NoSuchModel(
            f"there is no ModelDeployment {name} here: `kubectl viridian list -A` shows those of all namespaces"
        )
    if "the server doesn't have a resource type" in words:
        return KubectlFailed(f"{words}: this cluster has no Viridian; check --context, or install it")
    if "Forbidden" in words or "forbidden" in words:
        return KubectlFailed(f"{words}: ask for the role, or check --context and -n")
    return KubectlFailed(words)
