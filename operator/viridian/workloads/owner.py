"""Who owns a child, and the metadata that every child carries."""

from dataclasses import dataclass
from typing import Any

from viridian.api.names import ANNOTATION_EPOCH, API_VERSION, KIND, LABEL_MODEL


@dataclass(frozen=True)
class Owner:
    """The ModelDeployment that a child belongs to."""

    name: str
    namespace: str
    uid: str


def build_metadata(owner: Owner, name: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    """Metadata of a child. The owner's own labels are never copied: Argo CD would take the child for its own."""
    return {
        "name": name,
        "namespace": owner.namespace,
        "labels": {"app.kubernetes.io/managed-by": "viridian", LABEL_MODEL: owner.name, **(labels or {})},
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": owner.name,
                "uid": owner.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }


def stamp(manifest: dict[str, Any], epoch: str) -> dict[str, Any]:
    """The same child with the mark of the term of leadership in which it is written."""
    metadata = manifest["metadata"]
    annotations = {**(metadata.get("annotations") or {}), ANNOTATION_EPOCH: epoch}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}
