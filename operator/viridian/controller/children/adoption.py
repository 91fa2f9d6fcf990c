"""Children that lost their owner, as by `kubectl delete --cascade=orphan`, are taken up by a model of their name."""

import logging
from functools import lru_cache

from viridian.api.errors import BrokenChild, ForeignChild
from viridian.api.names import LABEL_MODEL
from viridian.controller.cache.live import deleted, read_live
from viridian.controller.cache.models import Model
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.resources import CONTROLLER_REVISION, Kind
from viridian.workloads.owner import build_metadata
from viridian.workloads.revisions import read_controller_revision

LOG = logging.getLogger(__name__)


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

    So is a ControllerRevision that only carries our label, wherever it is met.

    Raises:
        Conflict: somebody wrote in between, or deleted the model.
    """
    if not is_orphan(child, model) or (kind is CONTROLLER_REVISION and _is_no_revision(child, model)):
        return child
    await _recheck(client, model)
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
    LOG.info("%s/%s: adopted %s %s, which had no owner", *model.key, kind.plural, metadata["name"])
    return adopted


async def _recheck(client: KubeClient, model: Model) -> None:
    """Ask the API server, not the cache, whether the model is still there.

    `--cascade=orphan` takes the owner from each child before the model is gone, and that event may come late. What a
    model that is being deleted adopts then, Kubernetes deletes with it.

    Raises:
        Conflict: the model was deleted, and perhaps created anew.
    """
    if Model(await read_live(client, model)).is_going:
        raise deleted(model)


async def adopt_revisions(client: KubeClient, found: list[Manifest], model: Model) -> list[Manifest]:
    """The ControllerRevisions that may be the model's own, orphans among them taken up.

    What only carries our label is skipped and left alone: one of another name, whoever owns it, and an orphan that
    cannot be read. Nothing is made from those, and nothing deletes them.

    Raises:
        Conflict: somebody wrote in between.
    """
    taken = []
    for child in found:
        why = _is_no_revision(child, model)
        if why:
            _skip(f"{'/'.join(model.key)}: ignored ControllerRevision {child['metadata']['name']}: {why}")
        else:
            taken.append(await adopt(client, CONTROLLER_REVISION, child, model))
    return taken


def _is_no_revision(child: Manifest, model: Model) -> str:
    """Why a ControllerRevision with our label is none of ours; empty when it may be."""
    if not revision_number(model.owner.name, child["metadata"]["name"]):
        return f"the model's own are named {model.owner.name}-1, {model.owner.name}-2 and so on"
    if is_orphan(child, model):
        try:
            read_controller_revision(child)
        except BrokenChild as error:
            return str(error)
    return ""


def revision_number(model: str, name: str) -> int:
    """The number in a revision's name; 0 for a name that we would not have given."""
    number = name.removeprefix(f"{model}-")
    ours = number != name and number.isdecimal() and not number.startswith("0") and len(number) < 10
    return int(number) if ours else 0


@lru_cache(maxsize=1024)
def _skip(text: str) -> None:
    """Log what is left out; each look at a model finds it again, and the log has it once."""
    LOG.warning("%s", text)


def is_owned(child: Manifest, model: Model) -> bool:
    """Whether a child is the model's own."""
    reference = model.reference_in(child)
    return reference is not None and bool(reference.get("controller"))


async def claim(client: KubeClient, kind: Kind, child: Manifest, model: Model) -> Manifest:
    """A child that is ours, or has become so by adoption.

    Raises:
        Conflict: somebody wrote in between.
        ForeignChild: it belongs to somebody else; the message names it and the way out.
    """
    child = await adopt(client, kind, child, model)
    if not is_owned(child, model):
        raise _foreign(child)
    return child


def _foreign(child: Manifest) -> ForeignChild:
    kind, name = child["kind"], child["metadata"]["name"]
    owner = next(iter(child["metadata"].get("ownerReferences") or []), None)
    whose = f"belongs to {owner['kind']} {owner['name']} (UID {owner['uid']})" if owner else "belongs to nobody"
    return ForeignChild(
        f"{kind} {name} {whose}, and this model needs that name: delete it, or give the model another name;"
        " if it belongs to a deleted model of the same name, Kubernetes removes it"
    )
