"""The Deployment of a color."""

import json
from typing import Any

from viridian.api.names import ANNOTATION_INPUT, LABEL_COLOR, LABEL_MODEL, LABEL_REVISION, Color, color_name
from viridian.api.revision import Revision

from .owner import Owner, build_metadata


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
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": template,
        },
    }
