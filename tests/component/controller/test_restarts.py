"""The operator, killed at every single write of a rollout, ends in the same place, and breaks nothing on the way."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.component.harness.api_proxy import ApiProxy, Request, Reset, Rule, every, is_write
from tests.component.harness.control_plane import ControlPlane
from tests.component.harness.invariants import hold
from tests.component.harness.journal import Journal, Version
from tests.component.harness.pods import CheckKeeper
from tests.component.harness.prometheus import Prometheus
from tests.component.harness.stage import Stage, stage_in
from tests.waiting import eventually, stays

ROLLOUT = {
    "steps": [{"weight": 20, "hold": "1s"}, {"weight": 50, "hold": "1s"}],
    "bake": {"duration": "2s", "holdback": 10},
    # An operator that is killed all the time takes its time.
    "deadline": "2h",
    "drainMax": "10s",
}
SHADOWED = {**ROLLOUT, "steps": [{"shadow": "50%", "hold": "1s", "minRequests": 20}, {"weight": 20, "hold": "1s"}]}
LIMIT = 1200.0


def good(stage: Stage) -> None:
    """A first revision that serves, and a better one that takes over: both pass a check, and the second gets copies."""
    stage.keeper.unready.append("viridian.dev/check")
    with CheckKeeper(stage.control_plane.core, stage.namespace):
        stage.apply("v1.0.0", rollout=ROLLOUT, checks={"smoke": True})
        stage.reaches("Stable", "v1.0.0", within=LIMIT)
        stage.apply("v2.0.0", rollout=SHADOWED, checks={"smoke": True})
        stage.reaches("Stable", "v2.0.0", within=LIMIT)


def bad(stage: Stage) -> None:
    """A candidate that fails for a third of its requests."""
    chance = random.Random(7)
    stage.users.outcome = lambda revision: (
        "error" if revision == "iris-2" and chance.random() < 0.33 else "ok",
        0.02,
    )
    stage.apply("v1.0.0", rollout=ROLLOUT)
    stage.reaches("Stable", "v1.0.0", within=LIMIT)
    # Its bake is as long as it takes to find out.
    stage.apply("v2.0.0", rollout={**ROLLOUT, "bake": {"duration": "1h", "holdback": 10}})
    stage.reaches("RolledBack", "v1.0.0", within=LIMIT)


STORIES: dict[str, Callable[[Stage], None]] = {"good": good, "bad": bad}


def after_each_write(restart: Callable[[], None]) -> Rule:
    """The API server has carried out the write, and the operator never hears of it."""
    return every(is_write, Reset(forwarded=True, act=restart))


def before_each_write(restart: Callable[[], None]) -> Rule:
    """The operator dies with the write on its lips; the write that it makes next, after its return, is let through."""
    died = False

    def rule(request: Request) -> Reset | None:
        nonlocal died
        if not is_write(request):
            return None
        died = not died
        return Reset(act=restart) if died else None

    return rule


KILLS: dict[str, Callable[[Callable[[], None]], Rule]] = {
    "after": after_each_write,
    "before": before_each_write,
    "never": lambda _: lambda _: None,
}


@dataclass(frozen=True)
class Run:
    """How a story went.

    Attributes:
        end: What remains, without what differs from one run to the next.
        versions: Every version that any object ever had.
        writes: What the API server carried out.
        starts: How often the operator was started.
    """

    end: dict[str, Any]
    versions: list[Version]
    writes: list[Request]
    starts: int


@dataclass(frozen=True)
class Theatre:
    """Plays stories, each in a namespace of its own with its own operator."""

    control_plane: ControlPlane
    prometheus: Prometheus
    logs: Path

    def play(self, story: str, *kills: str) -> list[Run]:
        """How a story goes with each of these kills, played at once: they wait more than they compute."""
        with ThreadPoolExecutor(len(kills), thread_name_prefix=story) as pool:
            return list(pool.map(lambda kill: self._play(story, kill), kills))

    def _play(self, story: str, kill: str) -> Run:
        with ExitStack() as stack:
            namespace = stack.enter_context(self.control_plane.fresh_namespace())
            journal = stack.enter_context(Journal(self.control_plane, namespace))
            proxy = stack.enter_context(ApiProxy(self.control_plane.url, self.control_plane.certificate))
            stage = stack.enter_context(
                stage_in(namespace, self.control_plane, self.prometheus, self.logs / namespace, proxy, forked=True)
            )
            proxy.rule = KILLS[kill](stage.operator.restart)
            STORIES[story](stage)
            end = eventually(lambda: settled(stage), "the end of it", LIMIT)
            # With an operator that is left alone at last, nothing more happens.
            proxy.rule = KILLS["never"](stage.operator.restart)
            stage.operator.restart()
            stays(lambda: remains(stage) == end, "what remains", during=3)
            return Run(end, journal.versions, proxy.writes, stage.operator.runs)


def settled(stage: Stage) -> dict[str, Any]:
    """What remains, once the operator has said all that it has to say of its last write."""
    assert "drain" not in stage.status
    return remains(stage)


def remains(stage: Stage) -> dict[str, Any]:
    """All that a rollout leaves behind, save times, sequence numbers and sentences with counts."""
    status, apps, core = stage.status, stage.control_plane.apps, stage.control_plane.core
    annotations = stage.route["metadata"]["annotations"]
    api = stage.control_plane.api
    deployments = apps.list_namespaced_deployment(stage.namespace).items
    revisions = apps.list_namespaced_controller_revision(stage.namespace).items
    services = core.list_namespaced_service(stage.namespace).items
    return {
        "phase": status["phase"],
        "stable": status["stable"],
        "candidate": status.get("candidate"),
        "step, hold, ending": [status.get(name) for name in ("step", "hold", "ending")],
        "failed": [(pin["revision"], pin["reason"]) for pin in status.get("failed", [])],
        "expired": [(pin["revision"], pin["reason"]) for pin in status.get("expired", [])],
        "checks": [(check["name"], check["revision"], check["result"]) for check in status.get("checks", [])],
        "history": [(entry["revision"], entry["result"]) for entry in status["history"]],
        "last revision": status["lastRevision"],
        "conditions": {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]},
        "weights": stage.weights,
        "aborted": annotations.get("viridian.dev/aborted"),
        "services": {service.metadata.name: service.spec.selector for service in services},
        "deployments": {
            deployment.metadata.name: (
                deployment.spec.replicas,
                deployment.metadata.labels["viridian.dev/revision"],
                api.sanitize_for_serialization(deployment.spec.template),
            )
            for deployment in deployments
        },
        "revisions": {revision.metadata.name: revision.data for revision in revisions},
    }


@pytest.fixture
def theatre(
    control_plane: ControlPlane, crd: str, gateway_api: list[str], prometheus: Prometheus, logs: Path
) -> Theatre:
    return Theatre(control_plane, prometheus, logs)


@pytest.mark.parametrize("kill", ["after", "before"])
@pytest.mark.parametrize("story", STORIES)
def test_the_operator_killed_at_every_write_ends_in_the_same_place_and_breaks_no_invariant(
    theatre: Theatre, story: str, kill: str
) -> None:
    # given a rollout that nobody disturbs, and one whose operator is killed at every write
    calm, killed = theatre.play(story, "never", kill)

    # then it was killed at each of them, and the end is the same
    assert killed.starts > len(killed.writes)
    assert len(killed.writes) >= {"good": 25, "bad": 20}[story]
    assert killed.end == calm.end

    # and every version that any object of either model ever had was right when it was stored
    for run in (calm, killed):
        assert sum(version.kind == "HTTPRoute" for version in run.versions) >= {"good": 5, "bad": 3}[story]
        hold(run.versions, "iris", replicas=2)
