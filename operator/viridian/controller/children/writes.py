"""How a child is written: made where it was not there, changed over what was read."""

from viridian.controller.runtime.term import check_term
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.resources import Kind
from viridian.workloads.overlay import overlay
from viridian.workloads.owner import stamp


async def write(client: KubeClient, kind: Kind, manifest: Manifest, live: Manifest | None, epoch: str) -> None:
    """Create what was not there, change what was.

    Args:
        client: writes.
        kind: of the child.
        manifest: the child as it should be.
        live: the child as it was read; None where it was not there.
        epoch: our term, with which it is marked.

    Raises:
        Conflict: somebody was faster.
        NotLeading: somebody has led since our term.
        KubeError: the API refuses or does not answer.
    """
    wanted = stamp(manifest, epoch)
    if live is None:
        await client.create(kind, wanted)
    else:
        check_term(live["metadata"].get("annotations"), epoch)
        await client.replace(kind, overlay(live, wanted))


async def delete(client: KubeClient, kind: Kind, live: Manifest, epoch: str) -> None:
    """Delete a child as it was read.

    Raises:
        Conflict: somebody was faster.
        NotLeading: somebody has led since our term.
        KubeError: the API refuses or does not answer.
    """
    metadata = live["metadata"]
    check_term(metadata.get("annotations"), epoch)
    await client.delete(kind, metadata["namespace"], metadata["name"], metadata["uid"], metadata["resourceVersion"])
