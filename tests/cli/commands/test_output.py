"""What a command prints, from its command line to its exit status, as it was last looked at and found good.

`VIRIDIAN_UPDATE_CASES=1` writes the files anew; look at the difference.
"""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest
import yaml
from tests.cli.drift.test_drift import Flowers
from tests.cli.drift.test_versions import Versions
from tests.cli.http_server import serving
from tests.cli.kubectl_double import Cluster, states
from tests.cli.scenes import blocked, obey, paused, promoted_twice, rolling, waiting
from tests.cli.test_drill import RECORD, running
from tests.cli.test_drill import model as drilled
from tests.cli.test_golden import GOLDEN, hold_against
from tests.cli.test_verdict import ask_for, at_stable
from tests.cli.worlds import RecordedWorld, printed

from viridian.cli import giving
from viridian.cli.main import main, plugin
from viridian.cli.model import Model

DRAWN = "0a0a0a0a0a0a"
"""The last part of each command to the operator, which else is drawn at random."""
STAGES = ("Starting", "Sending", "Failing", "Cleaning")
Given = Callable[[], list[Model]]


def answered(scene: Callable[[], RecordedWorld], command: str) -> Given:
    """A model, and the same when the operator has answered a command."""

    def states() -> list[Model]:
        world = scene()
        return [printed(world), obey(world, f"{command}/{DRAWN}")]

    return states


def drill() -> list[Model]:
    return [*(drilled(running=running(stage)) for stage in STAGES), drilled(last=RECORD)]


CASES: dict[str, list[tuple[str, Given]]] = {
    "watch": [("watch iris", lambda: states("progressing", "baking", "rolled-back"))],
    "wait": [
        ("wait iris", lambda: states("progressing", "rolled-back")),
        ("wait iris --version v1.0.0 -q -o json", lambda: states("stable")),
        ("wait iris --version v7", lambda: states("stable")),
        ("wait iris --timeout 1s -q", lambda: states("progressing")),
    ],
    "approve": [
        ("approve iris", answered(waiting, "approve/iris-2")),
        ("approve iris", answered(rolling, "approve/iris-2")),
    ],
    "promote": [("promote iris", answered(rolling, "promote/iris-2"))],
    "pause": [
        ("pause iris", answered(rolling, "pause/iris-2")),
        ("pause iris", lambda: states("stable")),
    ],
    "resume": [("resume iris", answered(paused, "resume/iris-2"))],
    "abort": [
        ("abort iris", answered(rolling, "abort/iris-2")),
        ("abort iris -o yaml", answered(rolling, "abort/iris-2")),
        ("abort iris", lambda: states("stable")),
        ("abort rose", lambda: states("stable")),
    ],
    "retry": [
        ("retry iris", answered(blocked, "retry/iris-2")),
        ("retry iris", lambda: states("stable")),
    ],
    "rollback": [
        ("rollback iris", answered(promoted_twice, "rollback/iris-2")),
        ("rollback iris --to v1.0.0", answered(promoted_twice, "rollback/iris-2:iris-1")),
        ("rollback iris --to v7", lambda: states("stable")),
    ],
    "drill": [("drill iris", drill)],
    "diff": [
        ("diff iris -f same.yaml", lambda: [printed(at_stable())]),
        ("diff iris -f new.yaml", lambda: [printed(at_stable())]),
    ],
    "logs": [("logs iris --color blue", lambda: states("progressing"))],
    "digest": [("digest model.onnx", lambda: states("stable")), ("digest no.onnx", lambda: states("stable"))],
    "help": [
        ("--help", lambda: states("stable")),
        ("status", lambda: states("stable")),
        ("statsu iris", lambda: states("stable")),
    ],
}


@pytest.fixture
def shell(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], str]:
    """Runs a command line, and returns what somebody at a terminal would see."""
    monkeypatch.setattr(giving.secrets, "token_hex", lambda _: DRAWN)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    world = at_stable()
    (tmp_path / "same.yaml").write_text(yaml.safe_dump(printed(world).manifest))
    revision = {"data": {"input": world.revisions["iris-1"].input.manifest()}}
    (tmp_path / "kubectl.revision").write_text(json.dumps(revision))
    ask_for(world, "v2.0.0", revisionHistoryLimit=3)
    (tmp_path / "new.yaml").write_text(yaml.safe_dump(printed(world).manifest))
    (tmp_path / "model.onnx").write_text("the model")

    def run(line: str) -> str:
        status = main(shlex.split(line))
        said = capsys.readouterr()
        shown = f"$ kubectl viridian {line}\n{said.out}{said.err}exit status {status}\n"
        return "".join(f"{each.rstrip()}\n" for each in shown.splitlines())

    return run


@pytest.mark.parametrize("name", CASES)
def test_a_command_prints_what_was_found_good(name: str, cluster: Cluster, shell: Callable[[str], str]) -> None:
    seen = []
    for line, given in CASES[name]:
        cluster(*given())
        seen.append(shell(line))
    hold_against(f"{name}.txt", "\n".join(seen))


def test_drift_prints_what_was_found_good(cluster: Cluster, shell: Callable[[str], str]) -> None:
    cluster(*states("stable"))
    with serving(Flowers) as url:
        seen = shell(f"drift iris --prometheus {url}")
    hold_against("drift.txt", seen.replace(url, "http://127.0.0.1:9090"))


def test_drift_between_versions_prints_what_was_found_good(cluster: Cluster, shell: Callable[[str], str]) -> None:
    # given
    lines = {"stable": "progressing", "v1.0.0": "watching", "iris-9": "progressing", "previous": "stable"}
    seen = []
    # when
    with serving(Versions) as url:
        for against, model in lines.items():
            cluster(*states(model))
            seen.append(shell(f"drift iris --prometheus {url} --against {against}"))
    # then
    hold_against("drift-versions.txt", "\n".join(seen).replace(url, "http://127.0.0.1:9090"))


def test_each_command_has_such_a_file() -> None:
    # given the dashboard, which prints no more than its address: a test looks at its page in a browser
    commands = set(plugin.list_commands(click.Context(plugin))) - {"dashboard"}
    # then
    assert commands - {file.stem.partition("-")[0] for file in GOLDEN.iterdir()} == set()


def test_the_help_of_a_command_is_not_cut(cluster: Cluster, shell: Callable[[str], str]) -> None:
    cluster(*states("stable"))
    assert "..." not in shell("--help").replace("[ARGS]...", "")
