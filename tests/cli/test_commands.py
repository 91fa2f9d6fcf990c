"""The commands as a shell sees them: what is printed where, and exit statuses. kubectl's answers are files.

A component test has the same against a real API server and a real operator.
"""

from collections.abc import Callable

import pytest
from tests.cli.kubectl_double import Cluster, stored
from tests.cli.scenes import (
    blocked,
    breached,
    first,
    obey,
    paused,
    promoted_twice,
    rolling,
    taking_over,
    waiting,
    watched,
)
from tests.cli.test_verdict import ask_for, at_stable
from tests.cli.worlds import RecordedWorld, printed

from viridian.api.status import Phase
from viridian.cli.completion import main as complete
from viridian.cli.main import main
from viridian.cli.orders import NothingToDo, subject, was_obeyed


@pytest.mark.parametrize(
    ("verb", "scene", "to", "revision"),
    [
        ("abort", rolling, "", "iris-2"),
        ("pause", rolling, "", "iris-2"),
        ("resume", paused, "", "iris-2"),
        ("approve", waiting, "", "iris-2"),
        ("promote", rolling, "", "iris-2"),
        ("promote", paused, "", "iris-2"),
        ("retry", blocked, "", "iris-2"),
        ("abort", watched, "", "iris-2"),
        ("approve", watched, "", "iris-2"),
        ("rollback", watched, "", "iris-2"),
        ("rollback", watched, "v1.0.0", "iris-2:iris-1"),
        ("rollback", promoted_twice, "", "iris-2"),
        ("rollback", promoted_twice, "v1.0.0", "iris-2:iris-1"),
        ("rollback", promoted_twice, "iris-1", "iris-2:iris-1"),
    ],
)
def test_a_command_names_the_revision_that_the_operator_obeys(
    verb: str, scene: Callable[[], RecordedWorld], to: str, revision: str
) -> None:
    # given
    world = scene()
    # when
    named = subject(verb, printed(world), to)
    # then
    assert named == revision
    assert was_obeyed(verb, named, obey(world, f"{verb}/{named}/1"))


@pytest.mark.parametrize(
    ("verb", "scene", "revision"),
    [
        ("abort", promoted_twice, "iris-1"),
        ("pause", rolling, "iris-1"),
        ("approve", rolling, "iris-2"),
        ("abort", watched, "iris-1"),
        ("rollback", watched, "iris-2:iris-9"),
        ("rollback", promoted_twice, "iris-1"),
        ("rollback", promoted_twice, "iris-2:iris-9"),
    ],
)
def test_a_command_that_the_operator_refused_is_not_taken_for_obeyed(
    verb: str, scene: Callable[[], RecordedWorld], revision: str
) -> None:
    assert not was_obeyed(verb, revision, obey(scene(), f"{verb}/{revision}/1"))


def test_a_user_who_may_not_read_events_can_give_commands_all_the_same(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given an operator that refuses to approve, and a kubectl that refuses to list Events
    world = rolling()
    monkeypatch.setattr("secrets.token_hex", lambda _: "1")
    log = cluster(obey(world, "approve/iris-2/1"))
    # when
    assert main(["approve", "iris"]) == 1
    # then
    assert "viridian.dev/command=approve/iris-2/1 viridian.dev/command-by=ada --overwrite" in log.read_text()
    assert (
        "The operator refused: its reason is in an Event CommandRefused, and Events cannot" in capsys.readouterr().err
    )


def test_a_rollback_waits_until_the_version_before_has_drained(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a version that took over a moment ago
    world = at_stable()
    ask_for(world)
    world.until(Phase.FINISHING)
    while world.status.candidate is not None:
        world.pass_by(1)
    draining = printed(world)
    assert draining.phase == "Finishing"
    world.until(Phase.STABLE)
    rest = printed(world)
    monkeypatch.setattr("secrets.token_hex", lambda _: "1")
    answered = obey(world, "rollback/iris-2/1")

    # when
    log = cluster(draining, rest, answered)
    assert main(["rollback", "iris"]) == 0

    # then it has asked for nothing before the drain was over
    assert "viridian.dev/command=rollback/iris-2/1" in log.read_text()
    assert "iris: iris-1 comes back instead of iris-2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("scene", "says"),
    [
        (
            taking_over,
            "v2.0.0 has taken over, and the version before it drains; `kubectl viridian rollback iris -n ml`",
        ),
        (breached, "v2.0.0 is being taken back already"),
        (first, "v1.0.0 replaced nothing that works, so there is nothing to go back to; apply a version that works"),
        (at_stable, "iris has no rollout in progress; v1.0.0 serves"),
    ],
)
def test_there_is_nothing_to_abort_and_it_says_what_goes_on(scene: Callable[[], RecordedWorld], says: str) -> None:
    with pytest.raises(NothingToDo) as refused:
        subject("abort", printed(scene()))
    assert str(refused.value).startswith(f"there is nothing to abort: {says}")


def test_a_version_that_serves_cannot_be_brought_back() -> None:
    with pytest.raises(NothingToDo, match=r"v2\.0\.0 serves already"):
        subject("rollback", printed(promoted_twice()), "v2.0.0")


def test_a_model_that_never_served_cannot_be_rolled_back() -> None:
    with pytest.raises(NothingToDo, match="no version of iris has served yet"):
        subject("rollback", stored("new"))


# -- completion


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        (["app"], ["approve\tLet a rollout go on that waits for approval.", ":4"]),
        (["status", ""], ["iris", ":4"]),
        (["status", "x"], [":4"]),
        (["status", "iris", "--output", "j"], ["json", ":4"]),
        (["-n", "ml", "status", ""], ["iris", ":4"]),
        (["--context", "nowhere", "status", ""], [":4"]),
    ],
)
def test_kubectl_completes_commands_models_and_values(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], words: list[str], completions: list[str]
) -> None:
    cluster(stored("stable"))
    assert complete(words) == 0
    assert capsys.readouterr().out.splitlines() == completions


def test_completion_without_a_cluster_offers_nothing(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster(stored("stable"))
    assert complete(["status", "--context", "nowhere", ""]) == 0
    assert capsys.readouterr().out == ":4\n"
