"""What a child becomes when it is changed: our parts laid over what is there."""

from typing import Any

Manifest = dict[str, Any]

_ALLOCATED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
"""What the API server has given to a Service and what cannot be taken from it."""


def overlay(live: Manifest, wanted: Manifest) -> Manifest:
    """The object to write in place of `live`, at its resourceVersion.

    Labels and annotations of others stay, in a pod template too: `kubectl rollout restart` works by one. The spec is
    ours and is written whole, so that nothing which somebody added to it remains.
    """
    kept = {field: live["spec"][field] for field in _ALLOCATED if field in live["spec"]}
    spec = {**kept, **wanted["spec"]}
    if "template" in spec:
        theirs = live["spec"]["template"]["metadata"].get("annotations") or {}
        template = spec["template"]
        annotations = {**theirs, **(template["metadata"].get("annotations") or {})}
        metadata = {**template["metadata"], **({"annotations": annotations} if annotations else {})}
        spec["template"] = {**template, "metadata": metadata}
    return {**live, "metadata": _metadata(live["metadata"], wanted["metadata"]), "spec": spec}


def _metadata(live: Manifest, ours: Manifest) -> Manifest:
    fields = [field for field in ("labels", "annotations") if live.get(field) or ours.get(field)]
    merged = {field: {**(live.get(field) or {}), **(ours.get(field) or {})} for field in fields}
    return {**live, **merged, "ownerReferences": ours["ownerReferences"]}
