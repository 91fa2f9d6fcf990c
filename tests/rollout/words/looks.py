"""One look at a rollout, put together by hand: v1.0.0 is stable on blue, v2.0.0 the candidate on green."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.rollout.world import NAME, SETTINGS, START, spec_for

from viridian.api.names import Color
from viridian.api.revision import Revision, RevisionInput
from viridian.api.status import ColorStatus, ModelDeploymentStatus, Phase, StepStatus, WatchStatus
from viridian.rollout.context import RolloutContext
from viridian.rollout.observed import ColorView, Evidence, Observed, Pod, RouteFacts

BLUE, GREEN = Color.BLUE, Color.GREEN
STABLE = ColorStatus(color=BLUE, revision="iris-1", version="v1.0.0")
CANDIDATE = ColorStatus(color=GREEN, revision="iris-2", version="v2.0.0")
STORED = {
    f"iris-{number}": Revision(f"iris-{number}", number, RevisionInput.of(spec_for(f"v{number}.0.0")), {})
    for number in (1, 2, 3)
}
LATER = START + timedelta(minutes=1)
SHADOW = {
    "rollout": {
        "steps": [{"shadow": "50%", "hold": "10s"}, {"weight": 50, "hold": "10s"}],
        "bake": {"duration": "20s", "holdback": 5},
    }
}
BLIND = "Prometheus has the counters of 1 of the 2 pods that v2.0.0 needs"
ONE = {"reporting": {"iris-2": 1}}


def pods(revision: str, ready: int, more: Iterable[Pod] = (), **seen: Any) -> ColorView:
    """A color whose pods of a revision are ready and published, and some more that are not."""
    mine = [Pod(f"{revision}-{number}", revision, ready=True, deleting=False) for number in range(ready)]
    color = ColorView(revision, ready, (*more, *mine), frozenset(pod.uid for pod in mine), has_service=True)
    return replace(color, **seen)


def pod(revision: str, **seen: Any) -> Pod:
    """A pod that is not ready."""
    return Pod(f"{revision}-sick", revision, ready=False, deleting=False, **seen)


def died(revision: str, deaths: int = 1, at: float = 30, **more: Any) -> Pod:
    """A pod that has died so often, last so many seconds after the start."""
    return pod(revision, deaths=deaths, death="exit code 1", died_at=START + timedelta(seconds=at), **more)


def sick(revision: str = "iris-2", trouble: str = "no such image", **seen: Any) -> Any:
    """A color with a pod that cannot start."""
    return pods(revision, 2, [pod(revision, trouble=trouble)], **seen)


def route(weight: int, **seen: Any) -> RouteFacts:
    """A route with this weight on the candidate, in percent."""
    return RouteFacts(rules=({BLUE: 100 - weight, GREEN: weight},), **seen)


def step(index: int = 1, weight: int = 10, **parts: Any) -> StepStatus:
    """A step that began with the rollout."""
    return StepStatus(index=index, count=2, weight=weight, intended_at=START, **parts)


def look(
    spec: Mapping[str, Any] | None = None,
    *,
    version: str = "v2.0.0",
    blue: ColorView | None = None,
    green: ColorView | None = None,
    weight: int | None = 10,
    says: Mapping[str, Any] | None = None,
    seen: Mapping[str, Any] | None = None,
    now: float = 60,
    **status: Any,
) -> RolloutContext:
    """A rollout a minute after its beginning, in which all is well unless something else is said.

    Args:
        spec: changes of the spec.
        version: of the spec.
        blue, green: the colors; three, and two ready pods.
        weight: of the candidate in the route, in percent; None for no route.
        says: changes of what the metrics say; they are fresh, and have two pods of each.
        seen: changes of what else is observed.
        now: seconds since the beginning.
        status: changes of the status.
    """
    at = START + timedelta(seconds=now)
    told = {"reporting": {"iris-1": 2, "iris-2": 2}, "seen_at": {"iris-1": at, "iris-2": at}, "fresh_at": at}
    observed = Observed(
        generation=1,
        colors={
            BLUE: pods("iris-1", 3) if blue is None else blue,
            GREEN: pods("iris-2", 2) if green is None else green,
        },
        revisions=STORED,
        route=None if weight is None else route(weight),
        evidence=Evidence(**{**told, **(says or {})}),
    )
    is_now = {"stable": STABLE, "candidate": CANDIDATE, "phase": Phase.PROGRESSING, "step": step(), "started_at": START}
    return RolloutContext(
        NAME,
        spec_for(version, **(spec or {})),
        ModelDeploymentStatus().model_copy(update={**is_now, **status}),
        replace(observed, **(seen or {})),
        SETTINGS,
        at,
    )


def watching(spec: Mapping[str, Any] | None, **parts: Any) -> RolloutContext:
    """v2.0.0 was promoted a minute ago, and v1.0.0 keeps 5 % of the traffic; parts are those of `look`."""
    given = {
        "stable": CANDIDATE,
        "candidate": None,
        "step": None,
        "phase": Phase.WATCHING,
        "watch": WatchStatus(since=START, control=STABLE),
        "weight": 95,
        "green": pods("iris-2", 3),
        **parts,
    }
    return look(spec, **given)
