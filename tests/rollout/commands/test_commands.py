"""What a person asks for by annotation: obeyed once, or refused with the reason."""

import pytest
from tests.rollout.scenes import at_stable, pass_by, rolling, run_until
from tests.rollout.world import World, spec_for

from viridian.api.rollout import Approval
from viridian.api.status import Approved, Phase
from viridian.guards.judge import Verdict

GATED = {
    "steps": [{"weight": 10, "hold": "10s"}],
    "bake": {"duration": "10s", "holdback": 5},
    "deadline": "10m",
    "approval": "BeforePromotion",
}


def failed() -> World:
    """A world whose second revision was rolled back by a guard."""
    world = rolling(Phase.PROGRESSING)
    world.verdicts["iris-2"] = Verdict.BREACH
    run_until(world, Phase.ROLLED_BACK)
    return world


def expired() -> World:
    """A world whose second revision ran out of time."""
    world = rolling(Phase.PROGRESSING, guards={"metricsMissing": {"after": "1m", "then": "Rollback"}})
    world.metrics = False
    run_until(world, Phase.EXPIRED)
    world.metrics = True
    return world


def refusal(world: World, command: str) -> str | None:
    world.command = command
    return world.decide().warning


@pytest.mark.parametrize(
    "command",
    ["abort", "abort/iris-2", "abort/iris-2/", "abort//now", "/iris-2/now", "Abort/iris-2/now", "stop/iris-2/now"],
)
def test_a_command_that_cannot_be_read_is_refused_and_shows_how_to_write_one(command):
    world = rolling(Phase.PROGRESSING)
    assert refusal(world, command) == (
        f"command '{command}' cannot be read: write VERB/REVISION/ID with an ID of your choice and one of the verbs"
        " abort, retry, approve, promote, pause, resume, rollback, drill"
    )
    assert world.decide().status.last_command == command


def test_an_id_may_contain_slashes():
    world = rolling(Phase.PROGRESSING)
    assert refusal(world, "abort/iris-2/2026/01/01") is None
    assert world.decide().status.phase is Phase.ROLLING_BACK


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("abort/iris-1/a", "nothing to abort: iris-1 is not being rolled out"),
        ("retry/iris-2/a", "nothing to retry: iris-2 neither failed nor expired"),
        ("approve/iris-1/a", "nothing to approve: iris-1 is not being rolled out"),
        ("promote/iris-1/a", "nothing to promote: iris-1 is not being rolled out"),
        ("pause/iris-1/a", "nothing to pause: iris-1 is not being rolled out"),
        ("resume/iris-2/a", "nothing to resume: iris-2 is not paused"),
        ("rollback/iris-2/a", "nothing to roll back: iris-2 does not serve as stable: iris-1 does"),
        (
            "rollback/iris-1/a",
            "iris-1 cannot be rolled back now: v2.0.0 is being rolled out; abort/iris-2/ID takes it back",
        ),
    ],
)
def test_a_command_for_another_revision_is_refused_and_changes_nothing(command, sentence):
    world = rolling(Phase.PROGRESSING, rollout=GATED)
    before = world.decide().status
    assert refusal(world, command) == sentence
    assert world.decide().status == before.model_copy(update={"last_command": command})


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("abort/iris-2/a", "nothing to abort: iris-2 is not being rolled out"),
        ("approve/iris-2/a", "nothing to approve: iris-2 is not being rolled out"),
        ("promote/iris-2/a", "nothing to promote: iris-2 is not being rolled out"),
        ("pause/iris-2/a", "nothing to pause: iris-2 is not being rolled out"),
    ],
)
@pytest.mark.parametrize("taken_back", [True, False])
def test_what_is_being_taken_back_or_was_promoted_takes_no_commands_any_more(command, sentence, taken_back):
    world = rolling(Phase.PROGRESSING, rollout=GATED)
    if taken_back:
        world.verdicts["iris-2"] = Verdict.BREACH
        world.reconcile()
        assert world.status.phase is Phase.ROLLING_BACK
    else:
        world.status = world.status.model_copy(update={"candidate": None, "phase": Phase.STABLE, "step": None})
    assert refusal(world, command) == sentence


def test_before_anything_serves_there_is_nothing_to_roll_back():
    world = World()
    world.reconcile()
    assert refusal(world, "rollback/iris-1/a") == "nothing to roll back: iris-1 does not serve as stable"


def test_a_rollback_waits_for_the_drain_of_the_one_before():
    # given a promotion whose old color still drains
    world = rolling(Phase.FINISHING)
    while world.status.candidate is not None:
        world.reconcile()
    assert world.status.phase is Phase.FINISHING

    # then there is somebody to ask for patience, and once it is over the same wish is granted
    sentence = "iris-2 cannot be rolled back now: the version before it still drains; wait until phase Stable"
    assert refusal(world, "rollback/iris-2/a") == sentence
    world.settle()
    assert refusal(world, "rollback/iris-2/b") is None


def test_a_rollback_says_what_goes_on_and_what_to_do_instead():
    # given a version that takes over
    world = rolling(Phase.FINISHING)
    takes_over = "v2.0.0 takes over; wait until phase Stable, and give the command for iris-2"
    assert refusal(world, "rollback/iris-1/a") == f"iris-1 cannot be rolled back now: {takes_over}"
    # and one that is taken back
    world = rolling(Phase.PROGRESSING)
    world.verdicts["iris-2"] = Verdict.BREACH
    world.reconcile()
    already = "v2.0.0 is being rolled back already; wait until that is over"
    assert refusal(world, "rollback/iris-1/a") == f"iris-1 cannot be rolled back now: {already}"
    # and a first one in its bake
    world = World()
    run_until(world, Phase.BAKING)
    alone = "it replaced nothing that works, so there is nothing to go back to; apply a version that works"
    assert refusal(world, "rollback/iris-1/a") == f"iris-1 cannot be rolled back now: {alone}"


def test_a_rollback_names_the_revision_that_has_nobody_before_it():
    world = at_stable()
    assert refusal(world, "rollback/iris-1/a") == (
        "iris-1 cannot be rolled back: no earlier stable revision is stored any more"
    )


def test_a_command_is_refused_once_and_a_long_one_too():
    world = rolling(Phase.PROGRESSING)
    for command in ("nonsense", "x" * 511, "x" * 600):
        warning = refusal(world, command)
        assert warning is not None
        assert warning.startswith(f"command '{command[:512]}' cannot be read")
        world.reconcile()
        assert world.status.last_command == command[:512]
        assert world.decide().warning is None


def test_no_command_is_no_news():
    world = rolling(Phase.PROGRESSING)
    world.command = "pause/iris-2/a"
    world.reconcile()
    world.command = ""  # the annotation was removed
    decision = world.decide()
    assert decision.warning is None
    assert decision.status.last_command == "pause/iris-2/a"
    assert decision.status.paused == "iris-2"


@pytest.mark.parametrize(("start", "field"), [(failed, "failed"), (expired, "expired")])
def test_a_retry_takes_away_the_pin_of_its_revision_alone(start, field):
    # given two pinned revisions
    world = start()
    pins = getattr(world.status, field)
    other = pins[0].model_copy(update={"revision": "iris-0"})
    world.status = world.status.model_copy(update={field: [*pins, other]})

    # when one is to be tried again
    assert refusal(world, "retry/iris-2/a") is None
    after = world.decide().status

    # then the other one stays pinned, and once its wish is granted nothing is left to retry
    assert getattr(after, field) == [other]
    world.reconcile()
    assert refusal(world, "retry/iris-2/b") == "nothing to retry: iris-2 neither failed nor expired"


def test_an_expired_revision_starts_again_on_retry():
    world = expired()
    pass_by(world, 3)
    assert world.status.phase is Phase.EXPIRED
    world.command = "retry/iris-2/a"
    world.settle()
    assert world.status.stable is not None
    assert (world.status.stable.revision, world.status.stable.version) == ("iris-3", "v2.0.0")


def test_an_approval_is_remembered_with_its_gate():
    world = rolling(Phase.PROGRESSING, rollout=GATED)
    world.command = "approve/iris-2/a"
    assert world.decide().status.approved == Approved(revision="iris-2", gate=Approval.BEFORE_PROMOTION)


def test_who_approved_is_remembered_as_far_as_the_command_says():
    world = rolling(Phase.PROGRESSING, rollout=GATED)
    world.command, world.command_by = "approve/iris-2/a", "amir@example.com"
    assert world.decide().status.approved.by == "amir@example.com"


def test_a_pause_is_for_its_revision_and_is_taken_away_by_its_resume():
    world = rolling(Phase.PROGRESSING)
    world.command = "pause/iris-2/a"
    world.reconcile()
    assert world.status.paused == "iris-2"
    world.command = "resume/iris-2/b"
    world.reconcile()
    assert world.status.paused == ""


def test_an_approval_nobody_waits_for_is_refused_whatever_it_names():
    world = rolling(Phase.PROGRESSING)
    assert refusal(world, "approve/iris-1/a") == (
        "nothing to approve: rollout.approval is None, so the rollout does not wait for it"
    )


def test_only_the_command_that_is_asked_for_is_obeyed():
    # given a wish to pause, where an abort would end the rollout
    world = rolling(Phase.PROGRESSING)
    world.command = "pause/iris-2/a"
    world.reconcile()
    world.reconcile()
    assert world.status.ending is None
    # and one to retry what failed, in a settled world that has something to go back to
    world = at_stable()
    for version in ("v2.0.0", "v3.0.0"):
        world.edit(spec_for(version))
        run_until(world, Phase.PROGRESSING)
        if version == "v2.0.0":
            world.settle()
    world.verdicts["iris-3"] = Verdict.BREACH
    run_until(world, Phase.ROLLED_BACK)
    world.edit(spec_for("v2.0.0"))
    run_until(world, Phase.STABLE)
    assert refusal(world, "retry/iris-3/a") is None
    assert world.decide().status.returning is None
    assert refusal(world, "rollback/iris-2/a") is None
    assert world.decide().status.returning is not None


def test_a_first_revision_that_serves_is_named_where_it_cannot_be_aborted():
    world = World()
    run_until(world, Phase.FINISHING)
    world.reconcile()
    world.command = "abort/iris-1/1"
    warning = world.decide().warning
    assert warning is not None
    assert warning.startswith("iris-1 cannot be aborted: it is the first revision and serves all requests")


def test_without_any_other_revision_there_is_none_to_roll_back_to():
    world = at_stable()
    world.command = "rollback/iris-1:iris-7/1"
    warning = world.decide().warning
    assert warning is not None
    assert warning.endswith("revisions that can be brought back: none")


def test_who_approved_is_remembered_as_far_as_a_status_has_room():
    gated = spec_for("v2.0.0").rollout.model_copy(update={"approval": Approval.BEFORE_TRAFFIC})
    world = at_stable()
    world.edit(spec_for("v2.0.0").model_copy(update={"rollout": gated}))
    run_until(world, Phase.HELD)
    world.command, world.command_by = "approve/iris-2/1", "x" * 300
    pass_by(world)
    assert world.status.approved is not None
    assert len(world.status.approved.by) == 256
