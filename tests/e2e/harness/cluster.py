"""The cluster as its users have it: through kubectl, save for what is asked again and again."""

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client
from tests.component.harness.loopback import ENVIRONMENT, kubernetes_client
from tests.waiting import eventually

from viridian.api.names import GROUP, PLURAL, VERSION

_ANSWER_SECONDS = 180.0
"""Of one request, which may be a watch for as long as `kubectl wait` waits."""
_OPERATOR = "app.kubernetes.io/name=viridian"


class KubectlError(Exception):
    """kubectl said no; the text is what a user reads."""


class Cluster:
    """A cluster with the operator in it.

    Attributes:
        kubeconfig: That of an administrator.
        gateway: The root of everything behind the gateway, as an URL.
    """

    def __init__(self, kubeconfig: Path, gateway: str) -> None:
        self.kubeconfig, self.gateway = kubeconfig, gateway
        # Starting a kubectl many times a second would keep one of two cores busy.
        self._objects: Any = client.CustomObjectsApi(kubernetes_client(kubeconfig))
        self._kubectl = ("kubectl", f"--kubeconfig={kubeconfig}", f"--request-timeout={_ANSWER_SECONDS:.0f}s")

    def command(self, *arguments: str) -> Sequence[str]:
        """The command line of a kubectl that runs until it is ended."""
        return (*self._kubectl[:2], *arguments)

    def plugin(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """What the kubectl plugin prints, and how it ends."""
        return subprocess.run(
            [sys.executable, "-m", "viridian.cli.main", *arguments],
            capture_output=True,
            text=True,
            env={**ENVIRONMENT, "KUBECONFIG": str(self.kubeconfig)},
            check=False,
        )

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """What kubectl prints.

        Raises:
            KubectlError: it failed.
        """
        done = subprocess.run(
            [*self._kubectl, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=2 * _ANSWER_SECONDS,
            check=False,
        )
        if done.returncode:
            raise KubectlError(done.stderr.strip() or f"{shlex.join(arguments)}: exit status {done.returncode}")
        return done.stdout

    def read(self, *arguments: str) -> dict[str, Any]:
        """An object, or a list of them, as `kubectl get` finds it."""
        found: dict[str, Any] = json.loads(self.kubectl("get", "--output=json", *arguments))
        return found

    def model(self, namespace: str, name: str) -> dict[str, Any]:
        """A ModelDeployment."""
        found: dict[str, Any] = self._objects.get_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, name)
        return found

    def apply(self, manifest: Mapping[str, Any], *options: str) -> str:
        """`kubectl apply` of one manifest; the value is what it prints."""
        return self.kubectl("apply", *options, "--filename=-", stdin=yaml.safe_dump(dict(manifest)))

    def operator_pods(self) -> list[dict[str, Any]]:
        """All pods of the operator."""
        pods: list[dict[str, Any]] = self.read("pods", "--all-namespaces", f"--selector={_OPERATOR}")["items"]
        assert pods, "the operator has no pod"
        return pods

    def operator_pod(self) -> dict[str, Any]:
        """The pod of the operator that leads; where none does, the newest."""
        found: dict[str, Any] = max(
            self.operator_pods(), key=lambda pod: (self._leads(pod), str(pod["metadata"]["creationTimestamp"]))
        )
        return found

    def kill_operator(self) -> None:
        """Remove the pod of the operator that leads at once, and wait for another one to lead.

        The old process may go on for a moment beside the new one.
        """
        pod = self.operator_pod()["metadata"]
        self.kubectl(
            *("delete", "pod", pod["name"], f"--namespace={pod['namespace']}"),
            *("--grace-period=0", "--force", "--wait=false"),
        )

        def led_by_another() -> bool:
            return any(self._leads(other) for other in self.operator_pods() if other["metadata"]["uid"] != pod["uid"])

        eventually(led_by_another, "another operator to lead")

    def _leads(self, pod: Mapping[str, Any]) -> bool:
        leases = self.read("leases", f"--namespace={pod['metadata']['namespace']}")["items"]
        return pod["metadata"]["name"] in [lease["spec"].get("holderIdentity") for lease in leases]

    def operator_log(self, lines: int) -> str:
        """The end of the operator's log."""
        pod = self.operator_pod()["metadata"]
        log = self.kubectl("logs", pod["name"], f"--namespace={pod['namespace']}").splitlines()
        # The kubelet's probes are most of it, and explain nothing.
        return "\n".join([line for line in log if ".probe " not in line][-lines:])
