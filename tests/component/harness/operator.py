"""The real operator as a process, and users whose requests follow the route."""

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from kubernetes import client
from tests.forked import Forked, preload
from tests.frozen import freeze, thaw
from tests.ports import free_port

from viridian.traffic.route import shadow_in
from viridian_shared.shadow import Shadow, read_shadow

from .control_plane import ControlPlane
from .gateway import routes_of
from .loopback import ENVIRONMENT
from .processes import Server, start
from .prometheus import Prometheus
from .repeated import Repeated
from .scripted_target import ScriptedPod
from .watched import Watched

REPOSITORY = Path(__file__).parents[3]
MODULE = "viridian.controller.__main__"
preload(MODULE)


class OperatorProcess:
    """`python -m viridian.controller` against a control plane and a Prometheus; it can be killed and started again.

    Two that run at the same time need different names. Started again under the same name, as a container in its pod, it
    takes its Lease back at once.

    Attributes:
        environment: Of the next start; `PYTHONPATH` says which operator it is, unless it is forked.
        forked: The next start is from a process that has imported this code's operator already, which is far quicker.
        hurried: Constants of a forked operator, by their paths, for what takes a minute otherwise.
        name: By which its Lease tells it apart.
        runs: How often it was started.
    """

    def __init__(
        self,
        kubeconfig: Path,
        prometheus: Prometheus,
        namespace: str,
        folder: Path,
        *,
        forked: bool = False,
        name: str = "operator",
    ) -> None:
        """Prepare an operator.

        Args:
            kubeconfig: whose rights it has.
            prometheus: what it asks.
            namespace: what it watches.
            folder: where its logs go.
            forked: as the attribute.
            name: of its pod, as it were.
        """
        self.name = name
        self._folder = folder
        self.forked = forked
        self.hurried: dict[str, object] = {}
        self.runs = 0
        self.probe_port, self.metrics_port = 0, 0
        self._server: Server | None = None
        self.environment = {
            **ENVIRONMENT,
            "KUBECONFIG": str(kubeconfig),
            "PYTHONPATH": str(REPOSITORY / "operator"),
            "VIRIDIAN_PROMETHEUS_URL": prometheus.url,
            "VIRIDIAN_SCRAPE_INTERVAL": f"{prometheus.scrape_interval}s",
            "VIRIDIAN_SERVING_IMAGE": "example.com/viridian-serving:1",
            # Nothing runs pods here, so a check would end only where a test plays its Job.
            "VIRIDIAN_SMOKE": "false",
            "VIRIDIAN_NAMESPACES": namespace,
            "VIRIDIAN_LEASE_NAMESPACE": namespace,
            "VIRIDIAN_POD_NAME": name,
            "VIRIDIAN_SWEEP_PERIOD": "4s",
        }

    def __enter__(self) -> "OperatorProcess":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        self.runs += 1
        log = self._log
        self.probe_port, self.metrics_port = free_port(), free_port()
        ports = {"VIRIDIAN_PROBE_PORT": str(self.probe_port), "VIRIDIAN_METRICS_PORT": str(self.metrics_port)}
        environment = {**self.environment, **ports}
        if self.forked:
            self._server = Server(self.name, Forked(MODULE, log, environment, self.hurried), log)
        else:
            self._server = start(self.name, [sys.executable, "-m", "viridian.controller"], log, environment)

    @property
    def _log(self) -> Path:
        """Where this run's log goes."""
        return self._folder / f"{self.name}-{self.runs}.log"

    @property
    def log(self) -> str:
        """What it has written since its last start."""
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        """Ask it to end, as a kubelet would."""
        if self._server is not None:
            self._server.process.send_signal(signal.SIGCONT)  # a frozen one would not hear of its end
            self._server.stop()

    @property
    def pid(self) -> int:
        """The process's number, while it runs.

        Raises:
            RuntimeError: it does not run.
        """
        process = self._server.process if self._server is not None else None
        if process is None or process.poll() is not None:
            raise RuntimeError(f"the operator {self.name} does not run; its log:\n{self.log}")
        return process.pid

    def kill(self) -> None:
        """End it with SIGKILL, wherever it is."""
        if self._server is not None:
            self._server.kill()

    def restart(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Stop it with SIGSTOP, as on a node that is out of breath: it does not notice."""
        freeze(self.pid)

    def thaw(self) -> None:
        """Let it go on where it was."""
        thaw(self.pid)


class Users(Repeated):
    """Requests that follow the live route's split, counted on the ready pods of each color.

    Without a route they go to the Service NAME, as those from within a cluster do.

    Attributes:
        outcome: Called with a revision; the outcome and duration of one request there.
        fallback: Called with a revision; what its pods say of stable's help, None where they say nothing.
        failure: What its errors are: type, status and sentence.
        mirrored: Called with the candidate's revision; what becomes of one copy that the route has stable's pods send.
        rate: Requests a second.
    """

    def __init__(self, control_plane: ControlPlane, prometheus: Prometheus, namespace: str, model: str) -> None:
        self._control_plane, self._target = control_plane, prometheus.target
        self._namespace, self._model = namespace, model
        self._pods = Watched(control_plane.core.list_namespaced_pod, namespace)
        self._routes = routes_of(control_plane, namespace)
        super().__init__("users", 0.2, self._send, self._pods, self._routes)
        self._share: dict[str, float] = {}
        self.outcome: Callable[[str], tuple[str, float]] = lambda _: ("ok", 0.02)
        self.fallback: Callable[[str], tuple[str, str] | None] = lambda _: None
        self.mirrored: Callable[[str], str] = lambda _: "agreed"
        self.failure = ("model-failed", "500", "KeyError: 'age'")
        self._told: Shadow | None = None
        self.rate = 100
        self._sent = time.monotonic()

    def _send(self) -> None:
        # A busy machine may be late with this.
        now = time.monotonic()
        since, self._sent = now - self._sent, now
        via, weights = self._weights()
        # A check's pods have the revision's label, and get no user's request.
        pods = [pod for pod in self._pods.objects if _label(pod, "model") == self._model]
        for color, weight in weights.items():
            ready = [pod for pod in pods if _label(pod, "color") == color and _is_ready(pod)]
            share = self._share.get(color, 0.0) + self.rate * since * weight / 100
            for number in range(int(share) if ready else 0):
                pod = ready[number % len(ready)]
                revision = str(_label(pod, "revision"))
                counters = self._counters(pod, revision)
                outcome, seconds = self.outcome(revision)
                counters.count(1, outcome=outcome, via=via, seconds=seconds)
                counters.failures[self.failure] += outcome == "error"
                if outcome == "ok" and self._told is not None and revision != self._told.candidate:
                    self._copy(self._told, counters, pods)
            self._share[color] = share - int(share)
        for pod in pods:  # ready pods publish their counters from the start
            revision = _label(pod, "revision")
            if revision:
                self._counters(pod, revision).fallback = self.fallback(revision)

    def _counters(self, pod: dict[str, Any], revision: str) -> ScriptedPod:
        """What a pod has counted."""
        return self._target.pod(self._namespace, self._model, revision, pod["metadata"]["uid"])

    def _copy(self, told: Shadow, stable: ScriptedPod, pods: list[dict[str, Any]]) -> None:
        """A pod of stable sends the candidate a copy of what it has answered, or not."""
        self._share["copies"] = self._share.get("copies", 0.0) + told.share
        if self._share["copies"] < 1:
            return
        self._share["copies"] -= 1
        there = next((pod for pod in pods if _label(pod, "revision") == told.candidate), None)
        result = "failed" if there is None else self.mirrored(told.candidate)
        stable.shadow[told.candidate, result] += 1
        if there is not None:
            candidate = self._counters(there, told.candidate)
            candidate.count(1, outcome="error" if result == "failed" else "ok", via="mirror")

    def _weights(self) -> tuple[str, dict[str, int]]:
        """How requests come, and the share of each color in percent."""
        route = next((route for route in self._routes.objects if route["metadata"]["name"] == self._model), None)
        if route is None:
            return "direct", self._selected()
        rules = route["spec"].get("rules") or [{}]  # somebody may have taken them away
        self._told = read_shadow(shadow_in(rules[-1].get("filters") or []) or "")
        refs: list[dict[str, Any]] = rules[-1].get("backendRefs") or []
        # A route of somebody else leads to none of the model's colors, and so do its requests.
        return "split", {ref["name"].rpartition("-")[2]: ref.get("weight", 1) for ref in refs}

    def _selected(self) -> dict[str, int]:
        try:
            service = self._control_plane.core.read_namespaced_service(self._model, self._namespace)
        except client.ApiException as error:
            if error.status == 404:
                return {}
            raise
        color = service.spec.selector.get("viridian.dev/color")
        return {color: 100} if color else {}


def _label(pod: dict[str, Any], name: str) -> str | None:
    found: str | None = pod["metadata"].get("labels", {}).get(f"viridian.dev/{name}")
    return found


def _is_ready(pod: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
