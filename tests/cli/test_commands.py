"""The commands as a shell sees them: what is printed where, and exit statuses. kubectl's answers are files.

A component test has the same against a real API server and a real operator.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.test_verdict import ask_for, at_stable, promoted
from tests.cli.worlds import RecordedWorld, printed
from tests.rollout.world import spec_for

from viridian.api.status import Phase
from viridian.cli.completion import main as complete
from viridian.cli.main import main
from viridian.cli.model import Model
from viridian.cli.orders import NothingToDo, subject, was_obeyed
from viridian.guards.judge import Verdict as GuardVerdict

MODELS = Path(__file__).parent / "models"
KUBECTL = """#!/bin/sh
echo "$*" >> "$0.log"
case "$*" in
  *--context=nowhere*) echo 'error: context "nowhere" does not exist' >&2; exit 1 ;;
  *"get modeldeployments.viridian.dev iris --watch"*) cat "$0.events"; exec sleep 60 ;;
  *"get modeldeployments.viridian.dev iris"*) cat "$0.model" ;;
  *"get modeldeployments.viridian.dev --"*) printf '{"items": [%s]}' "$(cat "$0.model")" ;;
  *"get modeldeployments.viridian.dev "*)
    echo 'Error from server (NotFound): modeldeployments.viridian.dev "rose" not found' >&2; exit 1 ;;
  *"annotate "*) cat "$0.model" ;;
  *"auth whoami"*) echo '{"status": {"userInfo": {"username": "ada"}}}' ;;
  logs*color=blue*) echo "[pod/iris-blue-x/api] hello"; echo "[pod/iris-blue-x/api] again" ;;
  logs*) echo "error: container api is not valid for pod" >&2; exit 1 ;;
  *"get controllerrevisions"*) cat "$0.revision" ;;
  *) echo "error: nothing is known of: $*" >&2; exit 1 ;;
esac
"""
Cluster = Callable[..., Path]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A kubectl that knows one model: as it is, and as it is after each change."""

    def make(*states: Model) -> Path:
        kubectl = tmp_path / "kubectl"
        kubectl.write_text(KUBECTL)
        kubectl.chmod(0o755)
        (tmp_path / "kubectl.model").write_text(json.dumps(states[0].manifest, indent=4))
        events = [{"type": "MODIFIED", "object": state.manifest} for state in states]
        (tmp_path / "kubectl.events").write_text("".join(f"{json.dumps(event)}\n" for event in events))
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return tmp_path / "kubectl.log"

    return make


def stored(name: str) -> Model:
    return Model(yaml.safe_load((MODELS / f"{name}.yaml").read_text()))


def states(*names: str) -> list[Model]:
    return [stored(name) for name in names]


# -- wait


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


# -- what goes wrong


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["status", "rose"], "there is no ModelDeployment rose here: `kubectl viridian list -A` shows"),
        (["status", "iris", "--context", "nowhere"], 'context "nowhere" does not exist.'),
        (["wait", "iris", "--timeout", "soon"], "'soon' is not a duration: write whole numbers with units"),
        (["abort", "iris"], "there is nothing to abort: iris has no rollout in progress; v1.0.0 serves."),
        (["rollback", "iris", "--to", "v7"], "no revision or version v7 of iris has served; those that have: v1.0.0"),
        (["retry", "iris"], "there is nothing to retry: v1.0.0, which the spec asks for, neither failed nor expired."),
    ],
)
def test_an_error_is_a_sentence_on_standard_error(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    cluster(stored("stable"))
    assert main(arguments) in {1, 2}
    said = capsys.readouterr()
    assert said.out == ""
    assert says in said.err


def test_without_kubectl_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["list"]) == 1
    assert "kubectl is not in the PATH: install it" in capsys.readouterr().err


# -- what is shown


def test_the_choice_of_a_cluster_reaches_kubectl(cluster: Cluster) -> None:
    log = cluster(stored("stable"))
    assert main(["status", "iris", "-n", "ml", "--context", "prod", "--kubeconfig", "/k"]) == 0
    assert log.read_text().endswith("--output=json --kubeconfig=/k --context=prod --namespace=ml\n")
    assert main(["list", "-A"]) == 0
    assert "--all-namespaces" in log.read_text().splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "choice"),
    [
        (["-n", "ml", "list"], "--namespace=ml"),
        (
            ["--kubeconfig", "/k", "--context", "prod", "list", "-n", "ml"],
            "--kubeconfig=/k --context=prod --namespace=ml",
        ),
        (["-n", "ml", "list", "-n", "web"], "--namespace=web"),
    ],
)
def test_the_choice_of_a_cluster_may_stand_before_the_command(
    cluster: Cluster, arguments: list[str], choice: str
) -> None:
    log = cluster(stored("stable"))
    assert main(arguments) == 0
    assert log.read_text().endswith(f"--output=json {choice}\n")


@pytest.mark.parametrize("command", ["status", "history", "explain", "list"])
def test_data_is_for_programs(cluster: Cluster, capsys: pytest.CaptureFixture[str], command: str) -> None:
    cluster(stored("rolled-back"))
    arguments = [command] if command == "list" else [command, "iris"]
    assert main([*arguments, "-o", "json"]) == 0
    as_json = json.loads(capsys.readouterr().out)
    assert main([*arguments, "-o", "yaml"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == as_json


def test_watch_without_a_terminal_has_a_line_for_each_change(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster(*states("progressing", "progressing", "baking", "rolled-back"))
    assert main(["watch", "iris"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["Progressing", "Baking", "RolledBack"]


def test_diff_says_what_makes_a_new_revision(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # given what serves, and a manifest with another version and other steps
    world = at_stable()
    cluster(printed(world))
    revision = {"data": {"input": world.revisions["iris-1"].input.manifest()}}
    (tmp_path / "kubectl.revision").write_text(json.dumps(revision))
    manifest = printed(world).manifest
    file = tmp_path / "iris.yaml"
    # when nothing is changed
    file.write_text(yaml.safe_dump(manifest))
    assert main(["diff", "iris", "-f", str(file)]) == 0
    assert capsys.readouterr().out == "Nothing changes: no new revision: stable (iris-1) runs exactly this.\n"
    # when something is
    ask_for(world, "v2.0.0", revisionHistoryLimit=3)
    file.write_text(yaml.safe_dump(printed(world).manifest))
    assert main(["diff", "iris", "-f", str(file)]) == 0
    # then
    assert capsys.readouterr().out.splitlines() == [
        "* spec.model.version: v1.0.0 -> v2.0.0",
        "* spec.model.uri: image:///models/iris/v1.0.0 -> image:///models/iris/v2.0.0",
        "  spec.revisionHistoryLimit: 5 -> 3",
        "A new revision of v2.0.0 would start next to stable (v1.0.0).",
    ]


def test_diff_of_a_model_that_is_not_there_yet_says_that_it_would_be_created(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # given a manifest of a model that the cluster does not have
    cluster(stored("stable"))
    file = tmp_path / "rose.yaml"
    file.write_text(yaml.safe_dump(stored("new").manifest | {"metadata": {"name": "rose"}}))
    first = "the first revision would be v1.0.0: it gets all traffic when its pods are ready"
    says = f"ModelDeployment rose would be created; {first}"
    # when
    assert main(["diff", "rose", "-f", str(file)]) == 0
    assert main(["diff", "rose", "-f", str(file), "-o", "json"]) == 0
    # then
    text, _, data = capsys.readouterr().out.partition("\n")
    assert text == f"{says}."
    assert json.loads(data) == {"changes": [], "effect": says}


def test_diff_tells_empty_from_absent(cluster: Cluster, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    # given nothing serves yet
    cluster(stored("new"))
    manifest = json.loads(json.dumps(stored("new").manifest))
    manifest["spec"]["serving"] = {"image": "registry.example.com/iris:v1", "fallback": {"after": "500ms"}}
    file = tmp_path / "iris.yaml"
    file.write_text(yaml.safe_dump(manifest))
    # when
    assert main(["diff", "iris", "-f", str(file)]) == 0
    # then
    lines = capsys.readouterr().out.splitlines()
    assert "* spec.serving.image: (empty) -> registry.example.com/iris:v1" in lines
    assert "* spec.serving.fallback.after: (absent) -> 500ms" in lines
    assert lines[-1] == "The first revision would be v1.0.0: it gets all traffic when its pods are ready."


def test_each_line_of_the_logs_says_whose_it_is(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    # given a rollout whose stable writes lines, and whose candidate cannot be read
    log = cluster(stored("progressing"))
    # when
    assert main(["logs", "iris", "--color", "blue"]) == 0
    # then
    lines = [f"stable v1.0.0 [pod/iris-blue-x/api] {word}" for word in ("hello", "again")]
    assert capsys.readouterr().out.splitlines() == lines
    assert "--selector=viridian.dev/model=iris,viridian.dev/color=blue --container=api" in log.read_text()
    # and what cannot be read is a failure
    assert main(["logs", "iris"]) == 1


def test_what_is_used_all_the_time_loads_neither_models_nor_clients() -> None:
    # given each command that reads a cluster
    commands = ("act", "logs", "show", "wait")
    loads = "".join(f"import viridian.cli.commands.{name};" for name in commands)
    # when
    code = f"import sys; import viridian.cli.main, viridian.cli.render; {loads} print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # then
    assert not {"pydantic", "kubernetes", "aiohttp", "yaml"} & set(done.stdout.split())


# -- commands


def rolling() -> RecordedWorld:
    world = at_stable()
    ask_for(world)
    world.until(Phase.PROGRESSING)
    return world


def waiting() -> RecordedWorld:
    world = at_stable()
    ask_for(world, rollout={**_rollout(world), "approval": "BeforeTraffic"})
    world.until(Phase.HELD)
    return world


def paused() -> RecordedWorld:
    world = rolling()
    obey(world, f"pause/{subject('pause', printed(world))}/0")
    world.until(Phase.HELD)
    return world


def blocked() -> RecordedWorld:
    world = rolling()
    obey(world, f"abort/{subject('abort', printed(world))}/0")
    world.until(Phase.ROLLED_BACK)
    return world


def promoted_twice() -> RecordedWorld:
    world = at_stable()
    promoted(world)
    return world


def watched() -> RecordedWorld:
    world = at_stable()
    bake = {"duration": "20s", "holdback": 5, "watch": {"duration": "1h"}}
    ask_for(world, rollout={**_rollout(world), "bake": bake})
    world.until(Phase.WATCHING)
    return world


def _rollout(world: RecordedWorld) -> dict[str, Any]:
    found: dict[str, Any] = world.spec.rollout.manifest()
    return found


def obey(world: RecordedWorld, command: str) -> Model:
    """The first status that knows a command, as the operator writes it."""
    world.command = command
    world.models.clear()
    for _ in range(5):
        world.pass_by(1)
        for model in world.models:
            if model.status.get("lastCommand") == command:
                return model
    raise AssertionError(f"{command} was not answered")


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


def taking_over() -> RecordedWorld:
    world = rolling()
    world.until(Phase.FINISHING)
    while world.status.candidate is not None:
        world.pass_by(1)
    return world


def breached() -> RecordedWorld:
    world = rolling()
    world.verdicts["iris-2"] = GuardVerdict.BREACH
    world.until(Phase.ROLLING_BACK)
    return world


def first() -> RecordedWorld:
    world = RecordedWorld(spec_for("v1.0.0"))
    world.until(Phase.BAKING)
    return world


@pytest.mark.parametrize(
    ("scene", "says"),
    [
        (taking_over, "v2.0.0 has taken over, and the version before it drains; `kubectl viridian rollback iris`"),
        (breached, "v2.0.0 is being taken back already"),
        (first, "v1.0.0 replaced nothing that works, so there is nothing to go back to; apply a version that works"),
        (at_stable, "iris has no rollout in progress; v1.0.0 serves"),
    ],
)
def test_there_is_nothing_to_abort_and_it_says_what_goes_on(scene: Callable[[], RecordedWorld], says: str) -> None:
    with pytest.raises(NothingToDo) as refused:
        subject("abort", printed(scene()))
    assert str(refused.value).startswith(f"there is nothing to abort: {says}")


def test_explain_recommends_no_retry_of_what_is_not_blocked(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    # given a first version that fails its users: nothing can replace it but another version
    baking = printed(first())
    hold = {"reason": "GuardBreached", "message": "58 of 120 requests failed", "since": "2026-01-01T00:00:00Z"}
    cluster(Model({**baking.manifest, "status": {**baking.status, "phase": "Held", "hold": hold}}))
    # when
    assert main(["explain", "iris"]) == 0
    # then
    said = capsys.readouterr().out
    assert "What to do (GuardBreached): correct the model and apply another version." in said
    assert "retry" not in said


def test_guards_are_silent_before_there_is_traffic_to_judge() -> None:
    guards = stored("progressing").status["guards"]
    for phase, kept in (("Starting", 0), ("RolledBack", 0), ("Held", len(guards)), ("Watching", len(guards))):
        manifest = {**stored("stable").manifest, "status": {"phase": phase, "guards": guards}}
        assert len(Model(manifest).guards) == kept


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
        (["app"], ["approve\tLet a rollout go on that waits for...", ":4"]),
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
