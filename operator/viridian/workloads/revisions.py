"""ControllerRevisions: the store of rendered revisions."""

import json
from typing import Any

from pydantic import ValidationError

from viridian.api.errors import BrokenChild
from viridian.api.names import ANNOTATION_INPUT, LABEL_COLOR, LABEL_REVISION
from viridian.api.revision import Revision, RevisionInput

from .owner import Owner, build_metadata
from .pod import SAFE_TO_EVICT

SCHEMA = 1
"""Version of the layout of `data`; a reader that meets a higher one must not guess."""


def build_controller_revision(owner: Owner, revision: Revision) -> dict[str, Any]:
    """The ControllerRevision that keeps `revision` verbatim."""
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": build_metadata(owner, revision.name, {LABEL_REVISION: revision.name}),
        "revision": revision.number,
        "data": {"schema": SCHEMA, "input": revision.input.manifest(), "template": revision.template},
    }


def read_controller_revision(manifest: dict[str, Any]) -> Revision:
    """Read a revision back.

    Raises:
        BrokenChild: the stored data cannot be read; the message names the object and the way out.
    """
    name = manifest["metadata"]["name"]
    stored = manifest.get("data")
    data = stored if isinstance(stored, dict) else {}
    if data.get("schema") != SCHEMA:
        raise BrokenChild(
            f"ControllerRevision {name} has layout {data.get('schema')!r}, this operator reads {SCHEMA}:"
            " run the operator that wrote it, or a newer one"
        )
    template = data.get("template")
    if not isinstance(template, dict) or not {"metadata", "spec"} <= template.keys():
        raise _broken(name, "data.template is no pod template")
    try:
        return Revision(name, int(manifest["revision"]), RevisionInput.read(data.get("input")), template)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, ('data.input', *one['loc'])))}: {one['msg']}" for one in error.errors())
        raise _broken(name, "; ".join(problems)) from error


def rebuild_revision(deployment: dict[str, Any]) -> Revision | None:
    """The revision that a color's Deployment runs, from what the Deployment itself keeps.

    None for a Deployment without its labels or annotation, or with one that cannot be read: then nothing is known.
    """
    metadata, template = deployment["metadata"], deployment["spec"]["template"]
    name = (metadata.get("labels") or {}).get(LABEL_REVISION, "")
    kept = (metadata.get("annotations") or {}).get(ANNOTATION_INPUT)
    number = name.rpartition("-")[2]
    if kept is None or not number.isdigit():
        return None
    try:
        wanted = RevisionInput.read(json.loads(kept))
    except ValueError:
        return None
    return Revision(name, int(number), wanted, {"metadata": _metadata(template, wanted), "spec": template["spec"]})


def _metadata(template: dict[str, Any], wanted: RevisionInput) -> dict[str, Any]:
    """Labels and annotations as they were rendered: without the color, and without what others annotated since."""
    labels = {key: value for key, value in template["metadata"]["labels"].items() if key != LABEL_COLOR}
    ours = {SAFE_TO_EVICT, *wanted.serving.pod_template.annotations}
    found = template["metadata"].get("annotations") or {}
    annotations = {key: value for key, value in found.items() if key in ours}
    return {"labels": labels, **({"annotations": annotations} if annotations else {})}


def _broken(name: str, why: str) -> BrokenChild:
    return BrokenChild(f"ControllerRevision {name} cannot be read ({why}): delete it and apply the model again")
