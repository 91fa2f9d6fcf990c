"""One model in its own namespace, as its owner sees it."""

import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from examples.demo.load import read_samples
from tests.component.harness.loopback import open_url
from tests.waiting import eventually

from .background import Background
from .clients import Clients
from .cluster import Cluster, KubectlError
from .environment import Environment
from .route import RouteLog

NAME = "digits"
GATEWAY = {"name": "public", "namespace": "gateways"}
RATE = 50.0
"""Requests a second: one in ten of them, at the first step, is evidence enough. Twice as many take half a core more."""
AT_ONCE: dict[str, Any] = {"bake": {"duration": "1s", "holdback": 10}}
"""A bake for versions that are only there to be stable."""
_ENDED = (
    "{range .items[*]}{.metadata.name}{range .status.containerStatuses[*]} {.name} {.restartCount} "
    '{.lastState.terminated}{end}{"\\n"}{end}'
)
"""How often each container was started again, and with what words it had ended."""
_LONGEST = 180.0
_ANSWER_SECONDS = 5.0


class Stage:
    """The model `digits` with what a test does to it and sees of it.

    Attributes:
        namespace: Its namespace; the path of its route has the same name.
        url: Where its clients send their requests.
        in_service_mode: Whether the model has no gateway of its own; then the Service `digits` carries the traffic.
    """

    def __init__(self, cluster: Cluster, namespace: str, image: str, samples: Path, folder: Path) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.url = f"{cluster.gateway}/{namespace}/predict"
        self.in_service_mode = False
        self._image, self._samples, self._folder = image, samples, folder

    @classmethod
    @contextmanager
    def of_its_own(cls, environment: Environment, prefix: str, folder: Path) -> Iterator["Stage"]:
        """A model in its own namespace, which is deleted afterwards."""
        cluster, namespace = environment.cluster, f"{prefix}-{secrets.token_hex(4)}"
        cluster.kubectl("create", "namespace", namespace)
        try:
            yield cls(cluster, namespace, environment.image, environment.samples, folder)
        finally:
            # Its pods take their time to end, and nobody waits for them: names and paths are never used again.
            cluster.kubectl("delete", "namespace", namespace, "--wait=false")

    def manifest(self, version: str, **changes: dict[str, Any]) -> dict[str, Any]:
        """The ModelDeployment of one version; each change is put on top of one part of the spec."""
        # The limit is for pods that start: without one they take the CPU from those that serve.
        resources = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}}
        small = {"resources": resources}
        spec: dict[str, dict[str, Any]] = {
            "model": {"version": version, "uri": f"image:///models/digits/{version}"},
            "serving": {"image": self._image, "timeout": "10s", "triton": small, "api": small},
            "traffic": {} if self.in_service_mode else {"parentRefs": [GATEWAY], "path": f"/{self.namespace}"},
            "rollout": {
                "steps": [{"weight": 10, "hold": "5s"}, {"weight": 50, "hold": "5s"}],
                "bake": {"duration": "8s", "holdback": 10},
                "deadline": "10m",
                "drainMax": "20s",
            },
            "guards": {"errorRate": {"max": "10%"}},
            # A Job before each rollout is for the tests that are about checks.
            "checks": {} if "checks" in changes else {"smoke": False},
        }
        return {
            "apiVersion": "viridian.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": NAME, "namespace": self.namespace},
            "spec": {part: {**spec.get(part, {}), **changes.get(part, {})} for part in {**spec, **changes}},
        }

    def apply(self, version: str, **changes: dict[str, Any]) -> None:
        """Apply a version, and wait until the operator has looked at it."""
        self.cluster.apply(self.manifest(version, **changes))
        generation = self.cluster.model(self.namespace, NAME)["metadata"]["generation"]
        eventually(lambda: self.status.get("observedGeneration", 0) >= generation, f"the operator to look at {version}")

    def serve(self, version: str, **changes: dict[str, Any]) -> None:
        """Bring a first version up, until the gateway lets requests through to it."""
        self.apply(version, **{"rollout": AT_ONCE, **changes})
        self.reaches("Stable", version)
        eventually(self.answers, f"the first good answer from {self.url}")

    def command(self, verb: str, revision: str) -> None:
        """Give the operator a command."""
        word = f"viridian.dev/command={verb}/{revision}/{self.namespace}"
        self.cluster.kubectl("annotate", f"--namespace={self.namespace}", "modeldeployment", NAME, word)

    def read(self, *arguments: str) -> dict[str, Any]:
        """An object of this namespace, or a list of them."""
        return self.cluster.read(f"--namespace={self.namespace}", *arguments)

    @property
    def status(self) -> dict[str, Any]:
        """The model's status."""
        found: dict[str, Any] = self.cluster.model(self.namespace, NAME).get("status", {})
        return found

    def condition(self, kind: str) -> dict[str, Any]:
        """One of its conditions."""
        return next((c for c in self.status.get("conditions", []) if c["type"] == kind), {})

    def reaches(self, phase: str, version: str | None = None) -> dict[str, Any]:
        """Wait for a phase, with this stable version; the value is the status."""

        def look() -> dict[str, Any]:
            status = self.status
            conditions = {c["type"]: c["message"] for c in status.get("conditions", [])}
            assert status.get("phase") == phase, f"{status.get('phase')}: {conditions.get('Ready')}"
            assert version is None or status["stable"]["version"] == version
            return status

        return eventually(look, f"phase {phase}", _LONGEST)

    def says(self, kind: str, reason: str) -> str:
        """Wait for a condition to hold for this reason; the value is its message."""

        def look() -> str:
            condition = self.condition(kind)
            assert (condition.get("status"), condition.get("reason")) == ("True", reason), str(condition)
            return str(condition["message"])

        return eventually(look, f"{kind} because of {reason}", _LONGEST)

    def deployment(self, color: str) -> dict[str, Any]:
        """A color's Deployment."""
        return self.read("deployment", f"{NAME}-{color}")

    @property
    def route(self) -> dict[str, Any]:
        """The part of the HTTPRoute that the gateway does not write."""
        found = self.read("httproute", NAME)
        return {"annotations": found["metadata"]["annotations"], "spec": found["spec"]}

    @property
    def revisions(self) -> list[str]:
        """Names of the stored revisions."""
        return [revision["metadata"]["name"] for revision in self.read("controllerrevisions")["items"]]

    def pods_behind(self, service: str) -> set[str]:
        """The revisions of the ready pods that a Service sends requests to."""
        slices = self.read("endpointslices", f"--selector=kubernetes.io/service-name={service}")["items"]
        endpoints = [one for piece in slices for one in piece.get("endpoints") or [] if one["conditions"].get("ready")]
        pods = {pod["metadata"]["uid"]: pod["metadata"]["labels"] for pod in self.read("pods")["items"]}
        return {
            pods[one["targetRef"]["uid"]]["viridian.dev/revision"]
            for one in endpoints
            if one["targetRef"]["uid"] in pods
        }

    def clients(self, rate: float = RATE, lightest: float = 1.0) -> Clients:
        """Clients that send as long as the context lasts; of the samples, the share with the least ink."""
        if lightest == 1.0:
            return Clients(self.url, self._samples, self._folder, rate)
        document = json.loads(self._samples.read_text())
        pairs = sorted(zip(document["instances"], document["labels"], strict=True), key=lambda pair: sum(pair[0]))
        instances, labels = zip(*pairs[: round(lightest * len(pairs))], strict=True)
        folder = self._folder / "light"
        folder.mkdir()
        (folder / "samples.json").write_text(json.dumps({"instances": instances, "labels": labels}))
        return Clients(self.url, folder / "samples.json", folder, rate)

    def route_log(self) -> RouteLog:
        """Every write of the route as long as the context lasts."""
        return RouteLog(self.cluster, self.namespace, NAME, self._folder)

    def table(self) -> Background:
        """What `kubectl get mdep --watch` shows as long as the context lasts."""
        return Background(
            "table", self.cluster.command("get", "mdep", f"--namespace={self.namespace}", "--watch"), self._folder
        )

    def explain(self) -> str:
        """All that tells why something did not happen."""
        here = f"--namespace={self.namespace}"
        gateway = f"--namespace={GATEWAY['namespace']}"
        # What decides comes first: whoever shows a long report may cut its end off.
        parts: dict[str, Callable[[], str]] = {
            # One that is replaced loses requests, and no operator could help it.
            "the gateway": lambda: self.cluster.kubectl("get", "pods", "--output=wide", gateway),
            "its Events": lambda: self.cluster.kubectl("get", "events", "--sort-by=.lastTimestamp", gateway),
            "its controller's log": lambda: self.cluster.kubectl("logs", "deployment/contour", "--tail=15", gateway),
            "pods": lambda: self.cluster.kubectl("get", "pods", "--output=wide", here),
            "ended containers": lambda: self.cluster.kubectl("get", "pods", f"--output=jsonpath={_ENDED}", here),
            "events": lambda: self.cluster.kubectl("get", "events", "--sort-by=.lastTimestamp", here),
            "the operator's log": lambda: self.cluster.operator_log(60),
            "the model": lambda: self.cluster.kubectl("get", "modeldeployment", NAME, "--output=yaml", here),
        }
        return "\n".join(f"--- {title}\n{_attempt(ask)}" for title, ask in parts.items())

    def answers(self) -> bool:
        """Whether one question, asked at once, gets a good answer.

        Raises:
            AssertionError: it gets none; the message says what came.
        """
        question = urllib.request.Request(  # noqa: S310 - http on loopback
            self.url, data=read_samples(self._samples)[0].body, headers={"Content-Type": "application/json"}
        )
        try:
            with open_url(question, timeout=_ANSWER_SECONDS) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"HTTP {error.code}: {error.read()[:200]!r}") from error
        except OSError as error:
            raise AssertionError(str(error)) from error


def _attempt(ask: Callable[[], str]) -> str:
    """What can be found out, or why it cannot: a report must not fail for a part of it."""
    try:
        return ask()
    except (KubectlError, AssertionError) as error:
        return str(error)
