"""`kubectl viridian wait`: what it prints where, and its exit status for each outcome."""

import json

import pytest
from tests.cli.kubectl_double import Cluster, states, stored
from tests.cli.test_verdict import ask_for, at_stable
from tests.cli.worlds import printed

from viridian.api.status import Phase
from viridian.cli.main import main


@pytest.mark.parametrize(
    ("names", "version", "status", "says"),
    [
        (("progressing", "stable"), "v1.0.0", 0, "iris v1.0.0 was promoted: the first revision"),
        (("progressing", "watching"), "v2.0.0", 0, "iris v2.0.0 was promoted: 2 of 812 requests"),
        (("progressing", "rolled-back"), "v2.0.0", 3, "iris v2.0.0 was turned back (GuardBreached): 10 of 19"),
        (("progressing", "checks-failed"), "v2.0.0", 3, "iris v2.0.0 was turned back (ChecksFailed): v2.0.0 failed"),
        (("progressing", "expired"), "v2.0.0", 4, "ran out of time and was turned back without blame (DeadlineExc"),
    ],
)
def test_wait_ends_with_a_status_for_each_outcome(
    cluster: Cluster,
    capsys: pytest.CaptureFixture[str],
    names: tuple[str, ...],
    version: str,
    status: int,
    says: str,
) -> None:
    cluster(*states(*names))
    assert main(["wait", "iris", "--version", version, "--timeout", "20s"]) == status
    assert says in capsys.readouterr().out


def test_wait_says_what_it_waits_for_and_gives_up_in_time(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster(stored("progressing"))
    assert main(["wait", "iris", "--version", "v2.0.0", "--timeout", "1s"]) == 124
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("Progressing: v2.0.0 is at step 1 of 2 with 10 % of the traffic: waiting for")
    assert "has not ended in time; it is Progressing" in said.err


def test_wait_takes_the_version_of_the_spec_when_none_is_named(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster(*states("progressing", "rolled-back"))
    assert main(["wait", "iris", "-q", "-o", "json"]) == 3
    said = json.loads(capsys.readouterr().out)
    assert (said["version"], said["outcome"], said["exitStatus"]) == ("v2.0.0", "TURNED_BACK", 3)


def test_wait_can_wait_for_the_spec_too(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster(*states("stable", "progressing", "rolled-back"))
    assert main(["wait", "iris", "--version", "v2.0.0", "--until-applied"]) == 3
    assert "the spec asks for v1.0.0, not yet for v2.0.0" in capsys.readouterr().err


def test_wait_for_a_version_that_the_model_does_not_know_is_an_error(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster(stored("progressing"))
    assert main(["wait", "iris", "--version", "v9"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("iris does not know v9: its spec asks for v2.0.0, and its history has no v9. Check --v")


def test_wait_knows_a_version_that_was_replaced_before_it_began(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    # given the spec asks for v3.0.0 until another apply, and the operator has not looked meanwhile
    world = at_stable()
    ask_for(world, "v3.0.0")
    early = printed(world)
    ask_for(world, "v2.0.0")
    world.until(Phase.PROGRESSING)
    cluster(early, printed(world))
    # when
    status = main(["wait", "iris", "--version", "v3.0.0", "--timeout", "20s"])
    # then
    assert status == 5
    assert "iris v3.0.0 was superseded (Replaced): the spec asks for v2.0.0 now" in capsys.readouterr().out
