"""What a child becomes when it is changed: our parts laid over what is there."""

from typing import Any

from viridian.api.names import ANNOTATION_EPOCH, GROUP

Manifest = dict[str, Any]

_ALLOCATED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
"""What the API server has given to a Service and what cannot be taken from it."""


def overlay(live: Manifest, wanted: Manifest) -> Manifest:
    """The object to write in place of `live`, at its resourceVersion.

    Labels and annotations of others stay, in a pod template too: `kubectl rollout restart` works by one. Those of our
    own that are not wanted any more go, save the mark of the term in which the child was written. The rest, spec or
    data, is ours and is written whole, so that nothing which somebody added to it remains.
    """
    written = {**live, **wanted, "metadata": _metadata(live["metadata"], wanted["metadata"])}
    return {**written, "spec": _spec(live["spec"], wanted["spec"])} if "spec" in wanted else written


def _spec(live: Manifest, ours: Manifest) -> Manifest:
    kept = {field: live[field] for field in _ALLOCATED if field in live}
    spec = {**kept, **ours}
    if "template" in spec:
        theirs = live["template"]["metadata"].get("annotations") or {}
        template = spec["template"]
        annotations = {**theirs, **(template["metadata"].get("annotations") or {})}
        metadata = {**template["metadata"], **({"annotations": annotations} if annotations else {})}
        spec["template"] = {**template, "metadata": metadata}
    return spec


def _metadata(live: Manifest, ours: Manifest) -> Manifest:
    fields = [field for field in ("labels", "annotations") if live.get(field) or ours.get(field)]
    merged = {field: {**_of_others(live.get(field) or {}), **(ours.get(field) or {})} for field in fields}
    return {**live, **merged, "ownerReferences": ours["ownerReferences"]}


def _of_others(marks: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in marks.items() if key == ANNOTATION_EPOCH or not key.startswith(f"{GROUP}/")}
