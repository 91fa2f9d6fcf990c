"""What stable can answer in a candidate's stead: whom it holds, and how status and Events say it."""

import pytest
from tests.rollout.scenes import at_stable, condition, message, pass_by, rolling
from tests.rollout.world import World, spec_for

from viridian.api.status import Phase
from viridian.rollout.observed import Cover
from viridian.rollout.reporting.notices import notices

NONE = "stable cannot answer for v2.0.0: feature 'age' is new"
SOME = "stable cannot answer all that v2.0.0 takes: feature 'age' may be null, and not at stable"
ITS_PODS = "the pods of v2.0.0"
NOT_YET = "have not reported yet whether stable can answer for them"
UNSAID = "do not report whether stable can answer for them (an earlier serving image)"
ROLLOUT = {
    "steps": [{"weight": 10, "hold": "10s"}],
    "bake": {"duration": "10s", "holdback": 5},
    "deadline": "5m",
    "drainMax": "10s",
}
WITHOUT = {**ROLLOUT, "approval": "WithoutFallback"}


def says(cover: Cover, sentence: str = "") -> dict[str, object]:
    return {"cover": cover, "no_fallback": sentence}


def asking(cover: Cover, sentence: str = "", passes: int = 6, **changes: object) -> World:
    """A world in which v2 was applied with approval WithoutFallback, some passes ago; its pods say this of stable."""
    world = at_stable()
    world.says = says(cover, sentence)
    world.edit(spec_for("v2.0.0", **{"rollout": WITHOUT, **changes}))
    pass_by(world, passes)
    return world


# ------------------------------------------------------------------ the gate


@pytest.mark.parametrize(
    ("cover", "sentence", "since"),
    [
        (Cover.NONE, NONE, NONE),
        (Cover.UNSAID, "", f"its pods {UNSAID}: "),
    ],
)
def test_a_candidate_that_stable_cannot_answer_for_waits_for_approval_before_traffic(cover, sentence, since):
    # given
    world = asking(cover, sentence)

    # then it waits, with the reason and the command
    assert world.weights_seen == [100]
    assert condition(world, "Ready") == ("False", "Held")
    assert world.status.hold.reason == "AwaitingApproval"
    assert world.status.hold.message.startswith(
        "v2.0.0 gets no traffic until it is approved (rollout.approval: WithoutFallback), since " + since
    )
    assert world.status.hold.message.endswith("annotate the model with viridian.dev/command=approve/iris-2/ID")

    # when it is approved, it goes all the way, and is not asked about again
    world.command = "approve/iris-2/yes"
    world.settle()
    assert world.status.stable.version == "v2.0.0"


@pytest.mark.parametrize(("cover", "sentence"), [(Cover.ALL, ""), (Cover.SOME, SOME)])
def test_one_that_stable_can_answer_for_waits_for_nobody(cover, sentence):
    world = asking(cover, sentence, passes=2)
    world.settle()
    assert world.status.stable.version == "v2.0.0"


def test_the_hold_ends_when_stable_can_answer_after_all():
    world = asking(Cover.NONE, "stable cannot answer for v2.0.0: stable cannot be reached")
    assert world.status.phase is Phase.HELD
    world.says = says(Cover.ALL)
    world.settle()
    assert world.status.stable.version == "v2.0.0"


@pytest.mark.parametrize("approval", ["None", "WithoutFallback"])
def test_no_request_is_a_candidate_s_before_its_pods_have_said_what_stable_can_answer(approval):
    # given pods that are ready and watched, and have not said it
    world = asking(Cover.UNKNOWN, rollout={**ROLLOUT, "approval": approval})
    assert (world.status.phase, world.weights_seen) == (Phase.STARTING, [100])
    assert message(world, "Reconciling").endswith("; waiting for its pods to report whether stable can answer for them")

    # when they do, it goes on
    world.says = says(Cover.ALL)
    pass_by(world, 3)
    assert world.status.phase is Phase.PROGRESSING


def test_a_first_revision_has_nobody_to_answer_for_it_and_waits_for_nobody():
    world = World(spec_for("v1.0.0", rollout=WITHOUT))
    world.says = says(Cover.UNSAID)
    world.settle()
    assert world.status.phase is Phase.STABLE


def test_with_stable_away_it_takes_nothing_over_before_it_is_approved():
    # given a candidate that is held, when stable's pods go
    world = asking(Cover.NONE, NONE)
    world.says = says(Cover.NONE, "stable cannot answer for v2.0.0: stable cannot be reached")
    for _ in range(20):
        world.kubelet(healthy=frozenset({"iris-2"}))
        world.reconcile()
        world.traffic()
    assert 100 not in world.weights_seen[1:]
    assert world.status.phase is Phase.HELD


# ------------------------------------------------------------------ what is said


@pytest.mark.parametrize(
    ("cover", "sentence", "claim"),
    [
        (Cover.ALL, "", ("True", "Ready", "v1.0.0 answers requests that v2.0.0 fails")),
        (Cover.SOME, SOME, ("False", "PartlyCovered", SOME)),
        (Cover.NONE, NONE, ("False", "NoFallback", NONE)),
        (Cover.UNKNOWN, "", ("False", "Unknown", f"{ITS_PODS} {NOT_YET}")),
        (
            Cover.UNSAID,
            "",
            ("False", "Unsaid", f"{ITS_PODS} {UNSAID}"),
        ),
    ],
)  # fmt: skip
def test_a_condition_says_what_stable_can_answer_before_there_is_traffic(cover, sentence, claim):
    world = rolling(Phase.STARTING)
    world.says = says(cover, sentence)
    world.kubelet()
    world.reconcile()
    assert world.weights_seen == [100]
    assert (*condition(world, "FallbackReady"), message(world, "FallbackReady")) == claim


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.PROGRESSING, Phase.BAKING])
@pytest.mark.parametrize("sentence", [NONE, SOME])
def test_the_story_of_a_rollout_says_what_clients_are_not_spared(phase, sentence):
    world = rolling(phase)
    world.says = says(Cover.NONE, sentence)
    world.reconcile()
    assert message(world, "Reconciling").endswith(f"; {sentence}")


@pytest.mark.parametrize(
    ("scene", "reason"),
    [
        (at_stable, "NoCandidate"),
        (lambda: rolling(Phase.STARTING, traffic={}), "NoGateway"),
        (lambda: rolling(Phase.FINISHING), "Ready"),
    ],
    ids=["at rest", "service mode", "taking over"],
)
def test_nobody_is_alarmed_where_stable_is_not_meant_to_answer(scene, reason):
    world = scene()
    world.says = says(Cover.ALL)
    before = world.status
    world.reconcile()
    assert condition(world, "FallbackReady")[1] == reason
    assert "answer" not in message(world, "Reconciling")
    assert not [each for each in notices(before, world.status) if each.reason in {"NoFallback", "PartlyCovered"}]


def test_an_event_says_it_once():
    # given a candidate that starts
    world = rolling(Phase.STARTING)
    before = world.status
    for cover, sentence in [(Cover.NONE, NONE)] * 3 + [(Cover.SOME, SOME)]:
        world.says = says(cover, sentence)
        world.reconcile()
    # then an Event tells of each gap once
    assert [(each.reason, each.message, each.warning) for each in notices(before, world.status)] == [
        ("PartlyCovered", SOME, True)
    ]
    assert notices(world.status, world.status) == []
