"""Pods leave: the part of a kubelet's work that every test needs."""

from typing import Any

from kubernetes import client

from .repeated import Repeated


class Reaper(Repeated):
    """Removes pods that are being deleted, as if their processes had ended on the first signal.

    Attributes:
        spared: Namespaces whose pods stay, terminating, until a test takes the namespace out again.
    """

    def __init__(self, api: client.ApiClient) -> None:
        super().__init__("reaper", 0.2, self._reap)
        self.spared: set[str] = set()
        self._core: Any = client.CoreV1Api(api)

    def _reap(self) -> None:
        for pod in self._core.list_pod_for_all_namespaces().items:
            if pod.metadata.deletion_timestamp and pod.metadata.namespace not in self.spared:
                self._core.delete_namespaced_pod(
                    pod.metadata.name,
                    pod.metadata.namespace,
                    # In the body: with one, the API server does not look at the query.
                    body=client.V1DeleteOptions(
                        grace_period_seconds=0, preconditions=client.V1Preconditions(uid=pod.metadata.uid)
                    ),
                )
