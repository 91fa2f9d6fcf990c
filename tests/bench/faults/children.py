"""An object that the operator made is edited or deleted by hand, at rest and in the middle of a rollout."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.e2e.harness.stage import NAME

from .scene import BETTER, STABLE, Fault, Scene

_LONG_STEP = {"steps": [{"weight": 10, "hold": "15s"}, {"weight": 50, "hold": "3s"}], "bake": {"duration": "3s"}}
"""The fault comes in its first step."""
_BLUE, _GREEN = "-blue", "-green"
"""The first version is blue, so these are stable and candidate."""

Look = Callable[[Scene], object]


@dataclass(frozen=True)
class _Meddling:
    """What a hand does to one object.

    Attributes:
        what: The object and what happens to it.
        do: Does it.
        look: What has to be as before when all is well again.
        at_rest: Whether it is played on a model at rest.
        moving: Whether it is played in the middle of a rollout.
        spares_clients: Whether no request fails of it.
    """

    what: str
    do: Callable[[Scene], object]
    look: Look
    at_rest: bool = True
    moving: bool = True
    spares_clients: bool = False


def faults() -> Iterator[Fault]:
    """All of them: first at rest, then in mid-rollout."""
    for meddling in _MEDDLINGS:
        if meddling.at_rest:
            yield _at_rest(meddling)
    for meddling in _MEDDLINGS:
        if meddling.moving:
            yield _moving(meddling)


def _at_rest(meddling: _Meddling) -> Fault:
    def play(scene: Scene) -> None:
        _meddle(scene, meddling)

    return Fault(f"{meddling.what}, at rest", play, f"Stable {STABLE}", meddling.spares_clients)


def _moving(meddling: _Meddling) -> Fault:
    def play(scene: Scene) -> None:
        scene.roll_out(BETTER, **_LONG_STEP)
        scene.await_step(10, verified=True)
        _meddle(scene, meddling)
        scene.stage.reaches("Stable", BETTER)

    return Fault(f"{meddling.what}, in mid-rollout", play, f"Stable {BETTER}", meddling.spares_clients)


def _meddle(scene: Scene, meddling: _Meddling) -> None:
    before = meddling.look(scene)
    meddling.do(scene)
    scene.await_repair(lambda: meddling.look(scene) == before, meddling.what.split(":")[0])


def _selector(suffix: str = "") -> Look:
    return lambda scene: scene.child("service", suffix)["spec"]["selector"]


def _pods(suffix: str) -> Look:
    """A Deployment's template without what the API server adds to it, and whether all of its pods run like that."""

    def look(scene: Scene) -> object:
        found = scene.child("deployment", suffix)
        spec, status = found["spec"], found.get("status", {})
        current = status.get("observedGeneration") == found["metadata"]["generation"]
        whole = all(status.get(field) == spec["replicas"] for field in ("replicas", "updatedReplicas", "readyReplicas"))
        return spec["template"], current and whole

    return look


def _split(scene: Scene) -> object:
    """The route without weights, and whether these are as the status asks for."""
    spec, status = scene.child("httproute")["spec"], scene.stage.status
    candidate = (status.get("step") or {}).get("weight", 0)
    stable = status["stable"]["color"]
    as_asked = all(
        backend.pop("weight") == (100 - candidate if backend["name"] == f"{NAME}-{stable}" else candidate)
        for rule in spec["rules"]
        for backend in rule["backendRefs"]
    )
    return spec, as_asked


def _patch(kind: str, suffix: str, *changes: tuple[str, object]) -> Callable[[Scene], object]:
    patch = json.dumps([{"op": "replace", "path": path, "value": value} for path, value in changes])
    return lambda scene: scene.kubectl("patch", kind, f"{NAME}{suffix}", "--type=json", f"--patch={patch}")


def _environment(suffix: str) -> Callable[[Scene], object]:
    entry = json.dumps(
        [{"op": "add", "path": "/spec/template/spec/containers/1/env/-", "value": {"name": "BY", "value": "hand"}}]
    )
    return lambda scene: scene.kubectl("patch", "deployment", f"{NAME}{suffix}", "--type=json", f"--patch={entry}")


def _delete(kind: str, suffix: str = "") -> Callable[[Scene], object]:
    return lambda scene: scene.kubectl("delete", kind, f"{NAME}{suffix}", "--wait=false")


_IMAGE = "/spec/template/spec/containers/1/image"
_COLOR = "/spec/selector/viridian.dev~1color"
_BY_HAND = (("/spec/rules/0/backendRefs/0/weight", 30), ("/spec/rules/0/backendRefs/1/weight", 70))

_MEDDLINGS = (
    _Meddling("stable's Service edited: selector", _patch("service", _BLUE, (_COLOR, "nobody")), _selector(_BLUE)),
    _Meddling("NAME edited: selector", _patch("service", "", (_COLOR, "nobody")), _selector(), spares_clients=True),
    _Meddling(
        "stable's Deployment edited: image",
        _patch("deployment", _BLUE, (_IMAGE, "registry.invalid/nothing:1")),
        _pods(_BLUE),
        spares_clients=True,
    ),
    _Meddling("stable's Deployment edited: env", _environment(_BLUE), _pods(_BLUE), spares_clients=True),
    _Meddling(
        "stable's Deployment edited: replicas 0", _patch("deployment", _BLUE, ("/spec/replicas", 0)), _pods(_BLUE)
    ),
    _Meddling(
        "candidate's Deployment edited: image",
        _patch("deployment", _GREEN, (_IMAGE, "registry.invalid/nothing:1")),
        _pods(_GREEN),
        at_rest=False,
        spares_clients=True,
    ),
    _Meddling("route edited: weights", _patch("httproute", "", *_BY_HAND), _split),
    _Meddling("route deleted", _delete("httproute"), _split),
    _Meddling("stable's Service deleted", _delete("service", _BLUE), _selector(_BLUE)),
    _Meddling("NAME deleted", _delete("service"), _selector(), spares_clients=True),
    _Meddling("stable's Deployment deleted", _delete("deployment", _BLUE), _pods(_BLUE)),
    _Meddling("candidate's Deployment deleted", _delete("deployment", _GREEN), _pods(_GREEN), at_rest=False),
)
