"""Where there is no gateway: the Service NAME carries all traffic, and its selector is what moves it."""

from viridian.api.names import ANNOTATION_ABORTED, LABEL_COLOR, Color
from viridian.controller.cache.models import Model
from viridian.controller.runtime.term import check_term
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.resources import SERVICE
from viridian.rollout.observed import RouteFacts
from viridian.workloads.overlay import overlay
from viridian.workloads.services import build_stable_service


def read_flip(service: Manifest | None) -> RouteFacts | None:
    """The Service NAME as what it is here: one rule, with all the weight on the color that it selects."""
    color = selected(service)
    if service is None or color is None:
        return None
    annotations = service["metadata"].get("annotations") or {}
    return RouteFacts(rules=({color: 100, color.other: 0},), aborted=annotations.get(ANNOTATION_ABORTED))


def selected(service: Manifest | None) -> Color | None:
    """The color that a Service selects, if it selects one."""
    if service is None:
        return None
    color = (service["spec"].get("selector") or {}).get(LABEL_COLOR)
    return Color(color) if color in set(Color) else None


async def roll_back(client: KubeClient, model: Model, stable: Color, revision: str, epoch: str) -> bool:
    """Let NAME select stable again at once, with the mark that this revision was aborted.

    Returns:
        Whether there was a Service of ours to move.

    Raises:
        Conflict: somebody wrote in between; the next tick tries again.
        NotLeading: somebody has led since our term `epoch`.
    """
    live = await client.get(SERVICE, *model.key)
    if live is None or model.reference_in(live) is None:
        return False
    check_term(live["metadata"].get("annotations"), epoch)
    facts = read_flip(live)
    if facts is None or facts.aborted != revision or facts.split(stable) != 100:
        wanted = build_stable_service(model.owner, stable, revision)
        await client.replace(SERVICE, overlay(live, wanted))
    return True
