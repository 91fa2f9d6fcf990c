"""Children that lost their owner, as by `kubectl delete --cascade=orphan`, are taken up by a model of their name."""

import logging

from viridian.api.names import LABEL_MODEL
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.resources import Kind
from viridian.workloads.owner import build_metadata

from .models import Model

_log = logging.getLogger(__name__)


def is_orphan(child: Manifest, model: Model) -> bool:
    """Whether a child belongs to nobody and carries our label with the model's name."""
    metadata = child["metadata"]
    labels = metadata.get("labels") or {}
    return (
        not metadata.get("ownerReferences")
        and "deletionTimestamp" not in metadata
        and labels.get(LABEL_MODEL) == model.owner.name
    )


async def adopt(client: KubeClient, kind: Kind, child: Manifest, model: Model) -> Manifest:
    """Make an orphan the model's own; any other child is returned as it is.

    Raises:
        Conflict: somebody wrote in between.
    """
    if not is_orphan(child, model):
        return child
    metadata = child["metadata"]
    references = build_metadata(model.owner, metadata["name"])["ownerReferences"]
    adopted = await client.patch(
        kind,
        metadata["namespace"],
        metadata["name"],
        [
            {"op": "test", "path": "/metadata/uid", "value": metadata["uid"]},
            # One that is old makes the whole patch a conflict.
            {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
            {"op": "add", "path": "/metadata/ownerReferences", "value": references},
        ],
    )
    _log.info("%s/%s: took up %s %s, which belonged to nobody", *model.key, kind.plural, metadata["name"])
    return adopted
