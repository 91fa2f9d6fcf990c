"""Pods leave: the part of a kubelet's work that every test needs."""

from typing import Any

from kubernetes import client

from .repeated import Repeated
from .watched import Watched


class Reaper(Repeated):
    """Removes pods that are being deleted, as if their processes had ended on the first signal.

    Attributes:
        spared: Namespaces whose pods stay, terminating, until a test takes the namespace out again.
    """

    def __init__(self, api: client.ApiClient) -> None:
        self.spared: set[str] = set()
        self._core: Any = client.CoreV1Api(api)
        self._pods = Watched(self._core.list_pod_for_all_namespaces)
        super().__init__("reaper", 0.1, self._reap, self._pods)

    def _reap(self) -> None:
        for pod in (pod["metadata"] for pod in self._pods.objects):
            if "deletionTimestamp" in pod and pod["namespace"] not in self.spared:
                self._core.delete_namespaced_pod(
                    pod["name"],
                    pod["namespace"],
                    # In the body: with one, the API server does not look at the query.
                    body=client.V1DeleteOptions(
                        grace_period_seconds=0, preconditions=client.V1Preconditions(uid=pod["uid"])
                    ),
                )
