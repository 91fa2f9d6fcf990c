"""What the commands show of models, and what they say when something goes wrong."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.cli.kubectl_double import Cluster, states, stored
from tests.cli.scenes import first, obey, promoted_twice
from tests.cli.test_verdict import ask_for, at_stable
from tests.cli.worlds import printed

from viridian.api.status import Phase
from viridian.cli.main import main
from viridian.cli.model import Model
from viridian.guards.judge import Verdict as GuardVerdict

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


def test_watch_goes_on_while_one_version_makes_room_for_the_next(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    # given a rollback by command while the spec asks for a third version, which failed before
    world = promoted_twice()
    ask_for(world, "v3.0.0")
    world.until(Phase.PROGRESSING)
    world.verdicts["iris-3"] = GuardVerdict.BREACH
    world.until(Phase.ROLLED_BACK)
    obey(world, "rollback/iris-2/1")
    world.until(Phase.STABLE)
    between = printed(world)
    world.until(Phase.ROLLED_BACK)
    cluster(between, printed(world))
    # when
    assert main(["watch", "iris"]) == 0
    # then the moment between them is not the end
    first, last = capsys.readouterr().out.splitlines()
    assert first == "Stable: v3.0.0 stays blocked"
    assert last.startswith("RolledBack: v3.0.0 was rolled back: ")
    assert "v1.0.0 serves all requests" in last


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
    assert not {"pydantic", "kubernetes", "aiohttp", "yaml", "http.client"} & set(done.stdout.split())


def test_status_takes_less_than_300_ms_of_cpu_from_a_cold_start(cluster: Cluster) -> None:
    # given a rollout, and a kubectl that answers at once
    cluster(stored("progressing"))
    # when
    took = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "viridian.cli.main", "status", "iris"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    # then, of the CPU: how long a busy machine lets it wait says nothing about it
    assert min(took) < 0.3


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


@pytest.mark.parametrize("phase", ["Starting", "Held", "RollingBack", "Finishing"])
def test_explain_shows_no_earlier_counts_beside_a_candidate(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], phase: str
) -> None:
    # given a rollout that has counted nothing yet, after one that has
    ended = stored("rolled-back")
    candidate = {**ended.status["stable"], "version": "v3.0.0"}
    cluster(Model({**ended.manifest, "status": {**ended.status, "phase": phase, "candidate": candidate}}))
    # when
    assert main(["explain", "iris"]) == 0
    # then
    assert ended.history[0]["guards"]
    assert "on the candidate and" not in capsys.readouterr().out


def test_guards_are_silent_before_there_is_traffic_to_judge() -> None:
    guards = stored("progressing").status["guards"]
    for phase, kept in (("Starting", 0), ("RolledBack", 0), ("Held", len(guards)), ("Watching", len(guards))):
        manifest = {**stored("stable").manifest, "status": {"phase": phase, "guards": guards}}
        assert len(Model(manifest).guards) == kept
