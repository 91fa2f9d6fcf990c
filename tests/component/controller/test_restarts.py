"""The operator, killed at every single write of a rollout, ends in the same place, and breaks nothing on the way."""

import fcntl
import os
import pickle
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


class Theatre:
    """All stories at once, each in a namespace of its own with its own operator.

    They take minutes, and workers take tests from one another: who comes second waits for what the first has played.
    """

    def __init__(self, control_plane: ControlPlane, prometheus: Prometheus, logs: Path) -> None:
        self._control_plane, self._prometheus, self._logs = control_plane, prometheus, logs
        self._pool = ThreadPoolExecutor(len(STORIES) * len(KILLS), thread_name_prefix="story")

    def play(self) -> dict[tuple[str, str], Run | BaseException]:
        """Wait for the end of all stories; one that did not come to its end is what was raised in it."""
        runs = {(story, kill): self._pool.submit(self._play, story, kill) for kill in KILLS for story in STORIES}
        return {key: run.exception() or run.result() for key, run in runs.items()}

    def close(self) -> None:
        self._pool.shutdown()

    def _play(self, story: str, kill: str) -> Run:
        with ExitStack() as stack:
            namespace = stack.enter_context(self._control_plane.fresh_namespace())
            journal = stack.enter_context(Journal(self._control_plane, namespace))
            proxy = stack.enter_context(ApiProxy(self._control_plane.url, self._control_plane.certificate))
            folder = self._logs / f"restarts-{story}-{kill}"
            stage = stack.enter_context(
                stage_in(namespace, self._control_plane, self._prometheus, folder, proxy, forked=True)
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


@pytest.fixture(scope="module")
def runs(
    control_plane: ControlPlane,
    crd: str,
    gateway_api: list[str],
    _prometheus: Prometheus,
    logs: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[tuple[str, str], Run | BaseException]:
    """How each story went."""
    # The folder of all workers of this run; without any, that of this process.
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    played = shared / "restarts.pickle"
    with (shared / "restarts.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not played.exists():
            _prometheus.target.clear()
            theatre = Theatre(control_plane, _prometheus, logs)
            played.write_bytes(pickle.dumps(theatre.play()))
            theatre.close()
    found: dict[tuple[str, str], Run | BaseException] = pickle.loads(played.read_bytes())  # noqa: S301  our own
    return found


@pytest.fixture
def run(runs: dict[tuple[str, str], Run | BaseException]) -> Callable[[str, str], Run]:
    """How one story went; raises what was raised in it."""

    def of(story: str, kill: str) -> Run:
        found = runs[story, kill]
        if isinstance(found, BaseException):
            raise found
        return found

    return of


@pytest.mark.parametrize("kill", ["after", "before"])
@pytest.mark.parametrize("story", STORIES)
def test_the_operator_killed_at_every_single_write_ends_in_the_same_place(
    run: Callable[[str, str], Run], story: str, kill: str
) -> None:
    # given a rollout that nobody disturbs
    calm = run(story, "never")

    # when the operator of another is killed at every write
    killed = run(story, kill)

    # then it was killed at each of them, and the end is the same
    assert killed.starts > len(killed.writes)
    assert len(killed.writes) >= {"good": 25, "bad": 20}[story]
    assert killed.end == calm.end


@pytest.mark.parametrize("kill", KILLS)
@pytest.mark.parametrize("story", STORIES)
def test_no_write_of_a_killed_operator_breaks_an_invariant(
    run: Callable[[str, str], Run], story: str, kill: str
) -> None:
    # given every version that any object of the model ever had
    versions = run(story, kill).versions
    assert len([version for version in versions if version.kind == "HTTPRoute"]) >= {"good": 5, "bad": 3}[story]

    # then each of them was right when it was stored
    hold(versions, "iris", replicas=2)
