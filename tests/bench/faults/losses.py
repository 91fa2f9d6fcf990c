"""All pods of one color are gone and cannot come back, as when the nodes that could run them are lost."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.e2e.harness.stage import NAME, Stage
from tests.waiting import eventually

from .placement import await_endpoints, give_back, lose, placed
from .relay import relayed
from .scene import BETTER, STABLE, Fault, Scene, Serving

_CANDIDATE_SECONDS = 5.0
"""In which stable gets everything when the candidate is gone."""
_STABLE_SECONDS = 15.0
"""In which the candidate gets everything when stable is gone: a grace of a few scrape intervals of two seconds."""
_AWAY = 15.0
"""Seconds for which the candidate's pods stay away."""
_START_SECONDS = 90.0
_END_SECONDS = 120.0

_AT_50 = {"steps": [{"weight": 10, "hold": "3s"}, {"weight": 50, "hold": "20s"}], "bake": {"duration": "3s"}}
_AT_95 = {"steps": [{"weight": 10, "hold": "3s"}], "bake": {"duration": "20s", "holdback": 5}}
_FLIPPED = {"bake": {"duration": "20s"}}
_SHORT = {"steps": [{"weight": 10, "hold": "3s"}, {"weight": 50, "hold": "3s"}], "bake": {"duration": "3s"}}
"""The candidate is green throughout, stable is blue."""


def faults() -> Iterator[Fault]:
    """All of them."""
    yield _fault("candidate's pods gone at 50 %", _candidate_at_50)
    yield _fault("candidate's pods gone at 95 %", _candidate_at_95)
    yield _fault("stable's pods gone at 50 %", _stable_at_50)
    yield _fault("stable's pods gone at rest, and a fix applied", _stable_at_rest)
    for name, play in (
        ("candidate's pods gone in the bake", _candidate_flipped),
        ("stable's pods gone in the bake", _stable_flipped),
        ("stable's pods gone at rest, and a fix applied", _stable_at_rest),
    ):
        yield _fault(f"{name}, without a gateway", play, _placed_behind_a_service)


@contextmanager
def _placed_behind_a_service(stage: Stage) -> Iterator[Serving]:
    with placed(stage) as serving, relayed(stage):
        yield serving


def _fault(
    name: str, play: Callable[[Scene], None], around: Callable[[Stage], AbstractContextManager[Serving]] = placed
) -> Fault:
    return Fault(name, play, f"Stable {BETTER}", spares_clients=True, around=around)


def _candidate_at_50(scene: Scene) -> None:
    scene.roll_out(BETTER, **_AT_50)
    scene.await_step(50, verified=True)
    _lose_candidate(scene)


def _candidate_at_95(scene: Scene) -> None:
    scene.roll_out(BETTER, **_AT_95)
    scene.await_step(95, verified=True)
    _lose_candidate(scene)


def _candidate_flipped(scene: Scene) -> None:
    _flip(scene)
    _lose_candidate(scene)


def _lose_candidate(scene: Scene) -> None:
    """Stable gets everything, nobody is blamed, and the rollout goes on once the candidate is back."""
    try:
        with scene.may_fail(_CANDIDATE_SECONDS):
            lose(scene, BETTER)
        scene.note_unless(lambda: _has_everything(scene, "blue"), "traffic on stable alone", _CANDIDATE_SECONDS)
        time.sleep(_AWAY)
        scene.note_blame()
    finally:
        give_back(scene, BETTER)
    _await_promotion(scene)


def _stable_at_50(scene: Scene) -> None:
    scene.roll_out(BETTER, **_AT_50)
    scene.await_step(50, verified=True)
    with scene.may_fail(_STABLE_SECONDS):
        lose(scene, STABLE)
    scene.note_unless(lambda: _has_everything(scene, "green"), "traffic on the candidate alone", _STABLE_SECONDS)
    _await_promotion(scene)


def _stable_flipped(scene: Scene) -> None:
    """Nobody is sent to stable then, so nobody notices."""
    _flip(scene)
    lose(scene, STABLE)
    _await_promotion(scene)


def _stable_at_rest(scene: Scene) -> None:
    """The fix gets the traffic soon after it is ready, though there is no stable to compare it with."""
    with scene.may_fail(_STABLE_SECONDS):
        lose(scene, STABLE)
        scene.roll_out(BETTER, checks={}, **_SHORT)
        await_endpoints(scene, "green", _START_SECONDS)
    scene.note_unless(lambda: _has_everything(scene, "green"), "traffic on the fix alone", _STABLE_SECONDS)
    _await_promotion(scene)


def _flip(scene: Scene) -> None:
    scene.roll_out(BETTER, **_FLIPPED)
    scene.await_phase("Baking")
    eventually(lambda: _has_everything(scene, "green"), "the Service to select the candidate")


def _await_promotion(scene: Scene) -> None:
    def look() -> bool:
        status = scene.stage.status
        assert status.get("phase") == "Stable", f"phase {status.get('phase')}"
        return bool(status["stable"]["version"] == BETTER)

    eventually(look, f"{BETTER} to be promoted", _END_SECONDS)


def _has_everything(scene: Scene, color: str) -> bool:
    """Whether all traffic is sent to a color, by the route or, without a gateway, by the Service NAME."""
    if scene.stage.in_service_mode:
        return bool(scene.child("service")["spec"]["selector"]["viridian.dev/color"] == color)
    rules = scene.child("httproute")["spec"]["rules"]
    weights = {one["name"]: one["weight"] for rule in rules for one in rule["backendRefs"]}
    return {name for name, weight in weights.items() if weight} == {f"{NAME}-{color}"}
