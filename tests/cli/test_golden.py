"""What people read: each view of each state of a model, as it was last looked at and found good.

`VIRIDIAN_UPDATE_CASES=1` writes the files anew; look at the difference.
"""

import io
import os
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml
from rich.console import Console, RenderableType

from viridian.api.spec import ModelDeploymentSpec
from viridian.api.status import ModelDeploymentStatus
from viridian.cli import render
from viridian.cli.explain import explain
from viridian.cli.model import Model, read_time

HERE = Path(__file__).parent
MODELS = sorted((HERE / "models").glob("*.yaml"))
GOLDEN = HERE / "golden"
TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z")


def read(file: Path) -> Model:
    return Model(yaml.safe_load(file.read_text()))


def now(file: Path) -> datetime:
    """A while after the last thing that happened."""
    times = [read_time(time) for time in TIME.findall(file.read_text())]
    return max(times, default=datetime.fromisoformat("2026-01-01T00:00:00Z")) + timedelta(seconds=30)


def plain(shown: RenderableType, *, terminal: bool = False) -> str:
    out = io.StringIO()
    color = "standard" if terminal else None
    Console(file=out, width=100, highlight=False, force_terminal=terminal, color_system=color).print(shown)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def hold_against(name: str, text: str) -> None:
    file = GOLDEN / name
    if os.environ.get("VIRIDIAN_UPDATE_CASES"):
        file.write_text(text)
    assert text == file.read_text()


@pytest.mark.parametrize("file", MODELS, ids=lambda file: file.stem)
def test_the_models_are_such_as_an_operator_writes(file: Path) -> None:
    manifest = read(file).manifest
    ModelDeploymentSpec.model_validate(manifest["spec"])
    assert ModelDeploymentStatus.model_validate(manifest["status"]).manifest() == manifest["status"]


@pytest.mark.parametrize("file", MODELS, ids=lambda file: file.stem)
def test_status(file: Path) -> None:
    hold_against(f"status-{file.stem}.txt", plain(render.status_tree(read(file), now(file), bars=False)))


@pytest.mark.parametrize("file", MODELS, ids=lambda file: file.stem)
def test_explain(file: Path) -> None:
    hold_against(f"explain-{file.stem}.txt", "".join(f"{line}\n" for line in explain(read(file))))


def test_history() -> None:
    files = [HERE / "models" / f"{name}.yaml" for name in ("rolled-back", "checks-failed", "expired")]
    hold_against("history.txt", "\n".join(plain(render.history_text(read(file))) for file in files))


def test_list() -> None:
    hold_against("list.txt", plain(render.models_table([read(file) for file in MODELS], everywhere=True)))


def test_a_terminal_has_bars_and_colors_and_nothing_else_has() -> None:
    # given
    file = HERE / "models" / "progressing.yaml"
    # when
    drawn = plain(render.status_tree(read(file), now(file), bars=True), terminal=True)
    written = plain(render.status_tree(read(file), now(file), bars=False))
    # then
    assert "██" in drawn
    assert "\x1b[" in drawn
    assert "█" not in written
    assert "\x1b" not in written


def test_one_pod_is_counted_in_the_singular() -> None:
    # given a model with a single pod
    file = HERE / "models" / "stable.yaml"
    model = read(file)
    model.manifest["status"]["stable"] |= {"ready": 1, "replicas": 1}
    # then
    assert "100 %, 1 of 1 pod ready" in plain(render.status_tree(model, now(file), bars=False))
