"""After the promotion: the old version keeps a small share, and gets all back when the new one turns out worse."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.rollout.scenes import at_stable, condition, message, pass_by, rolling, run_until
from tests.rollout.world import World, spec_for

from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.guards.judge import Verdict

BLUE, GREEN = Color.BLUE, Color.GREEN
ROLLOUT = {
    "steps": [{"weight": 10, "hold": "10s"}, {"weight": 50, "hold": "10s"}],
    "bake": {"duration": "20s", "holdback": 5, "watch": {"duration": "1h", "holdback": 1}},
    "deadline": "10m",
    "drainMax": "30s",
}
MANY = {"serving": {"replicas": 10}, "rollout": ROLLOUT}


def watching(**changes: object) -> World:
    """A world in which v2.0.0 was promoted and is watched beside v1.0.0, for a while."""
    world = rolling(Phase.WATCHING, **({"rollout": ROLLOUT} | changes))
    pass_by(world, 3)
    return world


def breach(world: World) -> None:
    """The guards find the promoted version worse."""
    world.verdicts["iris-2"] = Verdict.BREACH


def test_the_promoted_version_is_stable_and_the_old_one_keeps_its_share():
    world = watching(**MANY)
    # then the roles have swapped, and NAME with them
    assert (world.status.stable.revision, world.status.control.revision) == ("iris-2", "iris-1")
    assert world.status.candidate is None
    assert world.stable_service is GREEN
    assert world.route.rules == ({BLUE: 1, GREEN: 99},)
    assert world.status.history[0].result == "Promoted"
    # and the control has as many pods as its share needs
    assert world.deployments == {BLUE: ("iris-1", 2), GREEN: ("iris-2", 10)}


def test_a_promoted_version_is_ready_and_settled_while_it_is_watched():
    world = watching()
    assert condition(world, "Ready") == ("True", "Watching")
    assert condition(world, "Settled") == ("True", "Watching")
    assert condition(world, "Reconciling")[0] == "False"
    assert condition(world, "Stalled")[0] == "False"
    assert "v1.0.0 keeps 1 % of the traffic as a control" in message(world, "Ready")


def test_after_the_time_of_the_watch_the_old_version_drains():
    world = watching()
    world.now += timedelta(hours=1)
    # when
    world.settle()
    # then
    assert world.status.phase is Phase.STABLE
    assert world.status.watch is None
    assert world.route.rules == ({BLUE: 0, GREEN: 100},)
    assert world.deployments[BLUE][1] == 0
    assert [entry.result for entry in world.status.history] == ["Promoted", "Promoted"]


def test_a_breach_gives_the_old_version_at_once_what_its_pods_carry():
    world = watching(**MANY)
    breach(world)
    # when
    world.reconcile()
    # then two of ten pods carry 20 %, and the others are on their way
    assert world.route.rules == ({BLUE: 20, GREEN: 80},)
    assert world.route.aborted == "iris-2"
    assert world.status.phase is Phase.ROLLING_BACK
    assert (world.status.stable.revision, world.status.candidate.revision) == ("iris-1", "iris-2")
    assert world.deployments[BLUE] == ("iris-1", 10)
    # when those are ready
    world.kubelet()
    world.reconcile()
    # then
    assert world.route.rules == ({BLUE: 100, GREEN: 0},)


def test_pods_that_carry_everything_get_it_at_once():
    world = watching(serving={"replicas": 2})
    breach(world)
    world.reconcile()
    assert world.route.rules == ({BLUE: 100, GREEN: 0},)


def test_what_was_promoted_and_breaches_is_blocked_and_remembered():
    world = watching()
    breach(world)
    # when
    world.settle()
    # then
    assert world.status.phase is Phase.ROLLED_BACK
    assert world.status.stable.revision == "iris-1"
    assert world.stable_service is BLUE
    assert world.deployments[GREEN][1] == 0
    assert [(each.revision, each.reason) for each in world.status.failed] == [("iris-2", "GuardBreached")]
    assert [entry.result for entry in world.status.history[:2]] == ["RolledBack", "Promoted"]
    assert world.status.history[0].reverted_at is not None
    assert condition(world, "Ready") == ("False", "RolledBack")


def test_where_the_old_version_does_not_come_up_its_few_pods_get_everything_after_the_time_of_a_bake():
    world = watching(**MANY)
    breach(world)
    world.reconcile()
    # when no other pod gets ready
    for _ in range(12):
        world.traffic()
        world.reconcile()
    # then
    assert world.route.rules == ({BLUE: 100, GREEN: 0},)


def test_pinned_users_are_not_left_on_a_version_that_is_taken_back():
    pins = [{"matches": [{"headers": [{"name": "x-user-group", "value": "beta"}]}]}]
    world = watching(**MANY, traffic={"parentRefs": [{"name": "public"}], "pins": pins})
    breach(world)
    world.reconcile()
    assert world.route.rules == ({BLUE: 100, GREEN: 0}, {BLUE: 20, GREEN: 80})


def test_an_old_version_without_pods_blames_nobody_and_has_no_share():
    world = watching()
    breach(world)
    world.pods[BLUE] = []
    # when
    world.reconcile()
    world.reconcile()
    # then
    assert world.status.phase is Phase.WATCHING
    assert world.route.rules == ({BLUE: 0, GREEN: 100},)
    assert condition(world, "Ready") == ("True", "Watching")
    assert "0 of 2 pods ready" in message(world, "Ready")


def test_an_old_version_that_comes_back_gets_its_share_once_all_its_pods_are_ready():
    world = watching()
    pods, world.pods[BLUE] = world.pods[BLUE], []
    world.reconcile()
    # when one of two is ready
    world.pods[BLUE] = [pods[0], replace(pods[1], ready=False)]
    world.reconcile()
    assert world.route.split(BLUE) == 0
    # when both are
    world.pods[BLUE] = pods
    world.reconcile()
    assert world.route.split(BLUE) == 1


def test_the_old_version_answers_while_the_new_one_cannot():
    world = watching(serving={"replicas": 4})
    world.pods[GREEN] = []
    # when that lasts
    for _ in range(5):
        world.kubelet(frozenset({"iris-1"}))
        world.reconcile()
        world.traffic()
    # then nobody is blamed, and the old one is brought up to carry it
    assert world.route.rules == ({BLUE: 100, GREEN: 0},)
    assert world.deployments[BLUE] == ("iris-1", 4)
    assert world.status.failed == []
    assert condition(world, "Ready") == ("False", "PodsNotReady")
    assert condition(world, "Available")[0] == "True"
    # when it can again
    pass_by(world, 8)
    # then
    assert world.route.rules == ({BLUE: 1, GREEN: 99},)
    assert world.deployments[BLUE] == ("iris-1", 2)


def test_the_time_of_the_watch_does_not_end_what_the_old_version_answers():
    world = watching()
    for _ in range(5):
        world.kubelet(frozenset({"iris-1"}))
        world.reconcile()
        world.traffic(seconds=1000.0)
    assert world.status.phase is Phase.WATCHING


def test_another_version_ends_the_watch_and_starts_when_the_old_one_is_drained():
    world = watching()
    world.edit(spec_for("v3.0.0", rollout=ROLLOUT))
    # when
    world.reconcile()
    # then
    assert (world.status.phase, world.status.drain.revision) == (Phase.FINISHING, "iris-1")
    # when
    run_until(world, Phase.WATCHING)
    # then
    assert (world.status.stable.revision, world.status.control.revision) == ("iris-3", "iris-2")


def test_another_version_does_not_wait_for_a_promoted_one_without_pods():
    world = watching()
    world.pods[GREEN] = []
    for _ in range(5):
        world.kubelet(frozenset({"iris-1"}))
        world.reconcile()
        world.traffic()
    # when
    world.edit(spec_for("v3.0.0", rollout=ROLLOUT))
    run_until(world, Phase.STARTING)
    run_until(world, Phase.WATCHING)
    # then the one that answered was stable beside it
    assert (world.status.stable.revision, world.status.control.revision) == ("iris-3", "iris-1")
    assert world.status.failed == []


def test_the_old_version_in_the_spec_goes_back_to_it_without_blame():
    world = watching()
    world.edit(spec_for("v1.0.0", rollout=ROLLOUT))
    # when
    world.settle()
    # then no revision was made anew
    assert (world.status.phase, world.status.stable.revision) == (Phase.STABLE, "iris-1")
    assert (world.status.history[0].result, world.status.failed) == ("Reverted", [])


@pytest.mark.parametrize("change", [{"duration": "20s", "holdback": 5}, {"duration": "20s"}])
def test_a_spec_that_asks_for_no_watch_any_more_ends_it(change):
    world = watching()
    world.edit(spec_for("v2.0.0", rollout=ROLLOUT | {"bake": change}))
    world.settle()
    assert (world.status.phase, world.status.stable.revision) == (Phase.STABLE, "iris-2")


def test_without_a_gateway_there_is_nothing_to_compare_any_more():
    world = watching()
    world.edit(spec_for("v2.0.0", rollout={**ROLLOUT, "type": "BlueGreen", "bake": {"duration": "20s"}}, traffic={}))
    world.settle()
    assert (world.status.phase, world.stable_service) == (Phase.STABLE, GREEN)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("abort/iris-2/1", "Aborted"),
        ("rollback/iris-2/1", "RolledBackByCommand"),
        ("rollback/iris-2:iris-1/1", "RolledBackByCommand"),
    ],
)
def test_a_person_takes_a_promoted_version_back(command, reason):
    world = watching()
    world.command = command
    # when
    world.settle()
    # then
    assert (world.status.phase, world.status.stable.revision) == (Phase.ROLLED_BACK, "iris-1")
    assert world.status.failed[0].reason == reason
    assert world.status.last_command == command


def test_a_person_goes_back_to_an_old_version_that_has_no_pods_once_some_are_ready():
    world = watching()
    world.pods[BLUE] = []
    world.reconcile()
    world.command = "abort/iris-2/1"
    # when
    world.reconcile()
    # then
    assert (world.status.phase, world.route.rules) == (Phase.ROLLING_BACK, ({BLUE: 0, GREEN: 100},))
    world.settle()
    assert world.route.rules == ({BLUE: 100, GREEN: 0},)


def test_a_person_ends_the_watch_by_approval():
    world = watching()
    world.command = "approve/iris-2/1"
    world.settle()
    assert (world.status.phase, world.status.stable.revision) == (Phase.STABLE, "iris-2")
    assert world.status.approved is None


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("rollback/iris-2:iris-7/1", "can only be rolled back to iris-1"),
        ("abort/iris-1/1", "iris-1 is not being rolled out"),
        ("pause/iris-2/1", "nothing to pause"),
    ],
)
def test_what_a_watch_does_not_allow_is_refused(command, why):
    world = watching()
    world.command = command
    decision = world.decide()
    assert why in decision.warning
    assert decision.status.phase is Phase.WATCHING


@pytest.mark.parametrize(("ago", "ends"), [(timedelta(minutes=2), True), (timedelta(hours=2), False)])
def test_deaths_count_against_a_promoted_version_when_they_come_together(ago, ends):
    world = watching()
    died = [replace(pod, deaths=1, died_at=world.now - ago, death="exit code 1") for pod in world.pods[GREEN][:2]]
    world.pods[GREEN][:2] = died
    ending = world.decide().status.ending
    assert (ending.reason if ending is not None else None) == ("PodsCrash" if ends else None)


def test_deaths_on_both_versions_blame_nobody():
    world = watching()
    for color in Color:
        world.pods[color] = [
            replace(pod, deaths=2, died_at=world.now, death="exit code 1") for pod in world.pods[color]
        ]
    assert world.decide().status.ending is None


def test_a_restored_version_is_not_watched():
    world = watching()
    world.command = "approve/iris-2/1"
    world.settle()
    world.command = "rollback/iris-2/2"
    world.settle()
    assert (world.status.stable.revision, world.status.watch) == ("iris-1", None)


def test_a_first_revision_is_not_watched():
    assert at_stable(rollout=ROLLOUT).status.watch is None


def test_an_autoscaled_old_version_may_shrink_and_comes_back_to_as_many_pods_as_the_new_one_has():
    cpu = {"resources": {"requests": {"cpu": "100m"}}}
    serving = {"autoscaling": {"minReplicas": 2, "maxReplicas": 9}, "triton": cpu, "api": cpu}
    world = watching(serving=serving)
    world.deployments[GREEN] = ("iris-2", 6)
    pass_by(world, 2)
    assert world.autoscalers[BLUE].fewest == 2
    # when
    breach(world)
    world.reconcile()
    world.reconcile()
    # then
    assert world.autoscalers[BLUE].fewest == 6
    assert world.route.split(BLUE) == 33


def play(bad: bool, crash_at: int | None) -> tuple[World, int]:
    """A watch of a version from its promotion to its end; the operator dies right after write number `crash_at`."""
    world = rolling(Phase.FINISHING, rollout=ROLLOUT)
    world.writes, crashed = 0, False
    for _ in range(120):
        world.kubelet()
        if bad and world.status.phase is Phase.WATCHING:
            breach(world)
        if crash_at is not None and not crashed and world.writes <= crash_at:
            before = world.writes
            world.reconcile(writes=crash_at - world.writes)
            crashed = world.writes == crash_at or world.writes == before
        else:
            world.reconcile()
        world.traffic(seconds=400.0 if world.status.phase is Phase.WATCHING else 2.0)
        if world.status.phase in {Phase.STABLE, Phase.ROLLED_BACK} and not world.decide().actions:
            return world, world.writes
    raise AssertionError(world.status)


@pytest.mark.parametrize("bad", [False, True])
def test_a_watch_ends_the_same_wherever_the_operator_dies(bad):
    def final(world: World) -> tuple[object, ...]:
        status = world.status
        return status.phase, status.stable.revision, world.route.rules, world.stable_service, world.deployments

    whole, writes = play(bad, None)
    assert whole.status.phase is (Phase.ROLLED_BACK if bad else Phase.STABLE)
    for crash_at in range(1, writes + 1):
        assert final(play(bad, crash_at)[0]) == final(whole), f"died after write {crash_at}"
