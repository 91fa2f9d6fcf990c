"""Why a pod does not start, as its Events tell: failures to mount volumes or to set up the network are nowhere else."""

import logging
from collections.abc import Iterable
from datetime import datetime

from viridian.kube.client import KubeClient, Manifest
from viridian.kube.errors import KubeError
from viridian.kube.resources import EVENT

from .spec_fields import field_of_mount

LOG = logging.getLogger(__name__)

_MOUNTS = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})


async def find_events(client: KubeClient, pod: Manifest) -> list[Manifest]:
    """The Events about a pod. They only explain: where they cannot be read, the rollout goes on without them."""
    metadata = pod["metadata"]
    try:
        return await client.find(EVENT, metadata["namespace"], fields={"involvedObject.uid": metadata["uid"]})
    except KubeError as error:
        LOG.warning("the Events of pod %s/%s cannot be read: %s", metadata["namespace"], metadata["name"], error)
        return []


def trouble_in(events: Iterable[Manifest], pod: Manifest) -> str:
    """Why a pod does not start, as a sentence; empty when its Events tell of nothing that is wrong now.

    Only the last one counts: what failed at first may have gone well since, and an image may take long to pull.
    A missing Secret for the registry always counts: its event comes before each try, and the pull fails after it.
    """
    told = sorted(events, key=_last_seen)
    for event in told:
        if event["reason"] == "FailedToRetrieveImagePullSecret":
            return f"spec.serving.podTemplate.imagePullSecrets: {_words(event)}"
    if not told or told[-1].get("type") != "Warning":
        return ""
    last, spec = told[-1], pod.get("spec") or {}
    field = field_of_mount(_words(last), pod) if last["reason"] in _MOUNTS else ""
    return f"{field or _place(pod, spec)}: {last['reason']}: {_words(last)}"


def _place(about: Manifest, spec: Manifest) -> str:
    what = f"{about.get('kind', 'Pod').lower()} {about['metadata']['name']}"
    return f"{what} on node {spec['nodeName']}" if spec.get("nodeName") else what


def _last_seen(event: Manifest) -> datetime:
    seen = (event.get("series") or {}).get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return datetime.fromisoformat(seen or event["metadata"]["creationTimestamp"])


def _words(event: Manifest) -> str:
    return str(event.get("message", "")).strip()[:1024]
