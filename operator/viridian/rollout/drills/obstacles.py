"""Why a drill may not begin or go on: a rollout, an incident, a model that is too small, nothing that would see it."""

from viridian.api.spec import ModelDeploymentSpec
from viridian.api.status import Phase
from viridian.rollout.context import RolloutContext, full_replicas
from viridian_shared.drill import DrillKind

FEWEST = 2
"""Pods of a model that is large enough: a twin adds one of each color."""


def obstacle(context: RolloutContext, kind: DrillKind) -> str | None:
    """Return why no drill of this kind may begin, as a sentence without its full stop; None when one may."""
    name = context.name
    if context.observed.drill.is_twin:
        return f"{name} is itself the twin of a drill"
    return interruption(context) or open_incident(context) or small(context.spec) or unseen(context.spec, kind)


def interruption(context: RolloutContext) -> str | None:
    """Return what goes on with the model that is more important than a drill; None while it is at rest."""
    status, stable = context.status, context.status.stable
    if status.candidate is not None:
        return f"{status.candidate.version} is being rolled out"
    if stable is None:
        return "no version serves yet"
    if status.phase is not Phase.STABLE or status.drain is not None:
        return f"the model is in phase {status.phase}, and a drill needs Stable"
    if status.observed_generation != context.observed.generation or not context.runs_wanted(stable):
        return "the spec asks for another version than the one that serves"
    return None


def open_incident(context: RolloutContext) -> str | None:
    """Return what is wrong with the model, by its own status; None where nothing is."""
    stable, color = context.status.stable, None
    if stable is not None:
        color = context.color(stable.color)
    if stable is None or color is None or context.serving(stable) < full_replicas(context.spec.serving, None):
        return "not all pods of the stable version are ready: an incident is open, or it is about to be"
    found = next((each for each in context.status.conditions if each.type == "Ready"), None)
    if found is not None and found.status == "False":
        return f"an incident is open: Ready is False ({found.reason}), {found.message}"
    return None


def small(spec: ModelDeploymentSpec) -> str | None:
    """Return that a model is too small for drills; None for one that is not."""
    pods = full_replicas(spec.serving, None)
    if pods >= FEWEST:
        return None
    return (
        f"the model is too small: a twin takes a pod of each color beside its {pods}; give it {FEWEST} replicas or"
        " more (serving.replicas)"
    )


def unseen(spec: ModelDeploymentSpec, kind: DrillKind) -> str | None:
    """Return why nothing in a spec could see a failure of this kind in a twin, which has no gateway and no users."""
    if kind is DrillKind.SLOW and not any(guard.max for guard in spec.guards.latency):
        return "no guard would see slow answers: add one to guards.latency with max"
    if kind is DrillKind.WRONG and spec.checks.golden is None:
        return "nothing would see wrong answers before users do: add checks.golden"
    return None
