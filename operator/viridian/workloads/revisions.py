"""ControllerRevisions: the store of rendered revisions."""

from typing import Any

from pydantic import ValidationError

from viridian.api.errors import BrokenChild
from viridian.api.names import LABEL_REVISION
from viridian.api.revision import Revision, RevisionInput

from .owner import Owner, build_metadata

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
    data = manifest.get("data") or {}
    if data.get("schema") != SCHEMA:
        raise BrokenChild(
            f"ControllerRevision {name} has layout {data.get('schema')!r}, this operator reads {SCHEMA}:"
            " run the operator that wrote it, or a newer one"
        )
    template = data.get("template")
    if not isinstance(template, dict) or not {"metadata", "spec"} <= template.keys():
        raise _broken(name, "data.template is no pod template")
    try:
        return Revision(name, int(manifest["revision"]), RevisionInput.model_validate(data.get("input")), template)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, ('data.input', *one['loc'])))}: {one['msg']}" for one in error.errors())
        raise _broken(name, "; ".join(problems)) from error


def _broken(name: str, why: str) -> BrokenChild:
    return BrokenChild(f"ControllerRevision {name} cannot be read ({why}): delete it and apply the model again")
