"""What ends a rollout badly, one cause each."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from tests.rollout.world import World, spec_for

from viridian.api.names import Color
from viridian.api.status import Ending, Phase
from viridian.guards.judge import Verdict
from viridian.rollout.observed import Pod

BLUE, GREEN = Color.BLUE, Color.GREEN
SENTENCE = "40 of 100 requests on the candidate failed."


def ending(world: World) -> Ending | None:
    return world.decide().status.ending


def breach(world: World) -> None:
    world.verdicts["iris-2"] = Verdict.BREACH


def mark(world: World) -> None:
    assert world.route is not None
    world.route = replace(world.route, aborted="iris-2")


def crash(world: World, *deaths: int) -> None:
    pods = [Pod(f"uid-x{n}", "iris-2", False, False, count, f"exit code {n}") for n, count in enumerate(deaths or (2,))]
    world.pods[GREEN] = [*world.pods[GREEN], *pods]


def abort(world: World) -> None:
    world.command = "abort/iris-2/a"


def ask_for_stable(world: World) -> None:
    world.edit(spec_for("v1.0.0", guards=world.spec.guards.model_dump(by_alias=True)))


def ask_for_another(world: World) -> None:
    world.edit(spec_for("v3.0.0", guards=world.spec.guards.model_dump(by_alias=True)))


def lose_metrics(world: World) -> None:
    world.metrics = False
    world.now += timedelta(seconds=61)


def lose_traffic(world: World) -> None:
    assert world.status.step is not None
    step = world.status.step.model_copy(update={"verified_at": None, "intended_at": world.now})
    world.status = world.status.model_copy(update={"step": step})
    world.now += timedelta(seconds=61)
    world.fresh_at = world.now


def pass_the_deadline(world: World) -> None:
    world.now += timedelta(minutes=10)
    world.fresh_at = world.now


ROLLBACK = {
    "guards": {
        "metricsMissing": {"after": "1m", "then": "Rollback"},
        "noTraffic": {"after": "1m", "then": "Rollback"},
    }
}
CAUSES: list[tuple[Callable[[World], None], Phase, str, str]] = [
    (breach, Phase.ROLLED_BACK, "GuardBreached", SENTENCE),
    (mark, Phase.ROLLED_BACK, "GuardBreached", "the guards rolled it back"),
    (
        crash,
        Phase.ROLLED_BACK,
        "PodsCrash",
        "pods of iris-2 (v2.0.0) died with an error 2 times or more: exit code 0",
    ),
    (
        abort,
        Phase.ROLLED_BACK,
        "Aborted",
        "iris-2 (v2.0.0) was aborted by command",
    ),
    (ask_for_stable, Phase.STABLE, "Reverted", "the spec asks for v1.0.0, the stable version, again"),
    (ask_for_another, Phase.STABLE, "Replaced", "replaced by v3.0.0, the version now in the spec"),
    (
        lose_metrics,
        Phase.EXPIRED,
        "MetricsMissing",
        "no metrics for 1m (guards.metricsMissing), so the candidate could not be judged",
    ),
    (
        lose_traffic,
        Phase.EXPIRED,
        "NoTraffic",
        "no requests for 1m (guards.noTraffic), so the candidate could not be judged",
    ),
    (pass_the_deadline, Phase.EXPIRED, "DeadlineExceeded", "not promoted within 10m (rollout.deadline)"),
]
