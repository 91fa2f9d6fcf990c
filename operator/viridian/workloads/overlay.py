"""What a child becomes when it is changed: our parts laid over what is there."""

from typing import Any

from viridian.api.names import ANNOTATION_EPOCH, GROUP, LABEL_REVISION

Manifest = dict[str, Any]

_ALLOCATED = ("clusterIP", "clusterIPs", "ipFamilies")
"""What the API server has given to a Service and what cannot be taken from it."""


def overlay(live: Manifest, wanted: Manifest) -> Manifest:
    """The object to write in place of `live`, at its resourceVersion.

    Labels and annotations of others stay, those in a pod template for as long as it is of the same revision: `kubectl
    rollout restart` works by one. Those of our own that are not wanted any more go, save the mark of the term in which
    the child was written. The rest, spec or data, is ours and is written whole, so that nothing which somebody added to
    it remains.
    """
    written = {**live, **wanted, "metadata": _metadata(live["metadata"], wanted["metadata"])}
    return {**written, "spec": _spec(live["spec"], wanted["spec"])} if "spec" in wanted else written


def _spec(live: Manifest, ours: Manifest) -> Manifest:
    kept = {field: live[field] for field in _ALLOCATED if field in live}
    spec = {**kept, **ours}
    if "template" in spec:
        spec["template"] = _template(live["template"], spec["template"])
    return spec


def _template(live: Manifest, ours: Manifest) -> Manifest:
    """The pod template; annotations of others, such as of a restart, are for the pods of that revision only."""
    before, now = live["metadata"], ours["metadata"]
    theirs = before.get("annotations") or {}
    if not theirs or (before.get("labels") or {}).get(LABEL_REVISION) != now["labels"][LABEL_REVISION]:
        return ours
    return {**ours, "metadata": {**now, "annotations": {**theirs, **(now.get("annotations") or {})}}}


def _metadata(live: Manifest, ours: Manifest) -> Manifest:
    fields = [field for field in ("labels", "annotations") if live.get(field) or ours.get(field)]
    merged = {field: {**_of_others(live.get(field) or {}), **(ours.get(field) or {})} for field in fields}
    return {**live, **merged, "ownerReferences": ours["ownerReferences"]}


def _of_others(marks: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in marks.items() if key == ANNOTATION_EPOCH or not key.startswith(f"{GROUP}/")}
