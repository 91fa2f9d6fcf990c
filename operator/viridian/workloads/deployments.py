"""The Deployment of a color."""

import json
from datetime import timedelta
from typing import Any, Final

from viridian.api.names import ANNOTATION_INPUT, LABEL_COLOR, LABEL_MODEL, LABEL_REVISION, Color, color_name
from viridian.api.revision import Revision, RevisionInput
from viridian_shared.durations import parse_duration

from .owner import Owner, build_metadata

_STARTS: Final = 2
"""How often a container may be started before its revision is rolled back."""
_SCHEDULING: Final = timedelta(minutes=10)
"""Time for a pod to find a node, and for the node to pull the image: what Kubernetes itself allows by default."""


def build_deployment(owner: Owner, color: Color, revision: Revision, replicas: int) -> dict[str, Any]:
    """A color's Deployment, from the stored template of `revision`.

    The input is kept as an annotation too, so that a lost ControllerRevision can be made again.
    """
    labels = {LABEL_MODEL: owner.name, LABEL_COLOR: str(color)}
    metadata = build_metadata(owner, color_name(owner.name, color), {**labels, LABEL_REVISION: revision.name})
    metadata["annotations"] = {ANNOTATION_INPUT: json.dumps(revision.input.manifest(), sort_keys=True)}
    template = {
        **revision.template,
        "metadata": {
            **revision.template["metadata"],
            "labels": {**revision.template["metadata"]["labels"], **labels},
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 0,
            "progressDeadlineSeconds": int(_progress_deadline(revision.input).total_seconds()),
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": template,
        },
    }


def _progress_deadline(wanted: RevisionInput) -> timedelta:
    """How long the Deployment may go without a new ready pod.

    Other tools call it failed after that, so it is above all that a pod may take to start. Viridian does not read it.
    """
    fetching = timedelta() if wanted.model.digest is None else parse_duration(wanted.model.fetch_timeout)
    return _SCHEDULING + fetching + _STARTS * parse_duration(wanted.serving.start_timeout)
