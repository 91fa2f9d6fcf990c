"""The cluster, through kubectl as its users have it."""

import json
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from tests.component.harness.waiting import eventually

_ANSWER_SECONDS = 60.0
_OPERATOR = "app.kubernetes.io/name=viridian"


class KubectlError(Exception):
    """kubectl said no; the text is what a user reads."""


class Cluster:
    """A cluster with the operator in it.

    Attributes:
        gateway: The root of everything behind the gateway, as an URL.
    """

    def __init__(self, kubeconfig: Path, gateway: str) -> None:
        self.gateway = gateway
        self._kubectl = ("kubectl", f"--kubeconfig={kubeconfig}", f"--request-timeout={_ANSWER_SECONDS:.0f}s")

    def command(self, *arguments: str) -> Sequence[str]:
        """The command line of a kubectl that runs until it is ended."""
        return (*self._kubectl[:2], *arguments)

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

    def apply(self, manifest: Mapping[str, Any], *options: str) -> str:
        """`kubectl apply` of one manifest; the value is what it prints."""
        return self.kubectl("apply", *options, "--filename=-", stdin=yaml.safe_dump(dict(manifest)))

    def operator_pod(self) -> dict[str, Any]:
        """The operator's pod: the newest, while an earlier one still ends."""
        pods = self.read("pods", "--all-namespaces", f"--selector={_OPERATOR}")["items"]
        assert pods, "the operator has no pod"
        newest: dict[str, Any] = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
        return newest

    def kill_operator(self) -> None:
        """End the operator's pod without a moment to tidy up, and wait for the next one to be made."""
        pod = self.operator_pod()["metadata"]
        self.kubectl(
            *("delete", "pod", pod["name"], f"--namespace={pod['namespace']}"),
            *("--grace-period=0", "--force", "--wait=false"),
        )
        eventually(lambda: self.operator_pod()["metadata"]["uid"] != pod["uid"], "another pod of the operator", 60)

    def operator_log(self, lines: int) -> str:
        """The end of the operator's log."""
        pod = self.operator_pod()["metadata"]
        log = self.kubectl("logs", pod["name"], f"--namespace={pod['namespace']}").splitlines()
        # The kubelet's probes are most of it, and explain nothing.
        return "\n".join([line for line in log if ".probe " not in line][-lines:])
