"""``viridian import`` of Keras and SavedModel, which a Python of the user's own converts."""

import json
import re
import sys
from pathlib import Path

import pytest
from tests.component.harness.binaries import interpreter
from tests.importing import networks

from viridian_import.commands.main import main
from viridian_serving.artifacts.locate import MODEL_FILE


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """The sample that the models are trained with."""
    return networks.rows(tmp_path / "train.csv")


def run(model: Path, rows: Path, out: Path, *more: str) -> int:
    return main(["import", str(model), "--sample", str(rows), "--out", str(out), *more])


def empty(folder: Path, name: str) -> Path:
    (folder / name).write_bytes(b"x")
    return folder / name


# ------------------------------------------------------------------ without tensorflow


@pytest.mark.importing
def test_the_python_that_is_needed_is_named_with_the_commands_that_make_it(
    tmp_path: Path, rows: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # when
    code = run(empty(tmp_path, "churn.keras"), rows, tmp_path / "v1", "--trusted")
    # then
    assert code == 1
    said = capfd.readouterr().err
    assert "python3 -m venv ~/tensorflow && ~/tensorflow/bin/pip install tensorflow-cpu tf2onnx" in said
    assert "--python ~/tensorflow/bin/python" in said
    assert not (tmp_path / "v1").exists()


@pytest.mark.importing
def test_a_model_of_keras_may_read_files_so_its_author_must_be_trusted(
    tmp_path: Path, rows: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = run(empty(tmp_path, "churn.h5"), rows, tmp_path / "v1", "--python", sys.executable)
    assert code == 1
    assert "a model of TensorFlow, whose operators may read and write files" in capfd.readouterr().err


@pytest.mark.importing
@pytest.mark.parametrize(
    ("python", "words"),
    [
        (None, "has no module 'tf2onnx', by which models of Keras are converted; {python} -m pip install"),
        ("#!/bin/sh\necho no python here >&2; exit 3\n", "{python} ended with exit code 3 .* no python here"),
        ("#!/nowhere/python\n", "--python {python} cannot be run"),
    ],
    ids=["no tensorflow", "no Python", "no program"],
)
def test_a_python_that_cannot_do_it_is_said(
    tmp_path: Path, rows: Path, capfd: pytest.CaptureFixture[str], python: str | None, words: str
) -> None:
    # given
    program = Path(sys.executable)
    if python is not None:
        program = tmp_path / "python"
        program.write_text(python)
        program.chmod(0o755)
    # when
    code = run(empty(tmp_path, "churn.keras"), rows, tmp_path / "v1", "--trusted", "--python", str(program))
    # then
    assert code == 1
    assert re.search(words.format(python=re.escape(str(program))), capfd.readouterr().err)


# ------------------------------------------------------------------ with tensorflow


@pytest.mark.transformers
@pytest.mark.parametrize("kind", ["classes", "number", "h5", "saved"])
def test_a_model_becomes_a_version_that_answers_as_keras_does(
    tmp_path: Path, rows: Path, capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    # given
    file, ((*expected,),) = networks.trained(tmp_path, kind)
    # when it is imported, served, and asked its golden requests
    python = str(interpreter("requirements/keras.txt"))
    code = run(file, rows, tmp_path / "v1", "--trusted", "--name", "churn", "--python", python)
    # then
    out, err = capfd.readouterr()
    assert code == 0, out + err
    assert re.search(r"(\d+) of \1 golden requests are answered as written down", out), out
    assert "labels that differ 0" in out
    assert (tmp_path / "v1" / MODEL_FILE).is_file()
    # and what is written down is what Keras itself answered
    first = json.loads((tmp_path / "v1" / "golden.jsonl").read_text().splitlines()[0])
    values = [float(cell) for cell in rows.read_text().splitlines()[1].split(",")]
    assert list(first["request"].values()) == pytest.approx(values, rel=1e-5)
    answered = first["answer"]["prediction"]
    assert (answered if isinstance(answered, list) else [answered]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.transformers
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("two inputs", r"it takes 2 inputs \(left, right\), and one table of numbers can be imported"),
        ("images", r"has the shape \(rows, 8, 8, 1\) and type float32, and a sample of rows and columns has no such"),
        ("two outputs", "it answers 2 tensors; let it return one"),
        ("function", r"cannot be converted by tf2onnx \(it has no converter for Lgamma\)"),
    ],
)
def test_a_model_that_takes_or_gives_something_else_is_refused_with_a_way_out(
    tmp_path: Path, rows: Path, capfd: pytest.CaptureFixture[str], kind: str, words: str
) -> None:
    # given
    file, _ = networks.trained(tmp_path, kind)
    # when
    python = str(interpreter("requirements/keras.txt"))
    code = run(file, rows, tmp_path / "v1", "--trusted", "--python", python)
    # then
    said = capfd.readouterr().err
    assert code == 1
    assert re.search(words, said), said
    assert not (tmp_path / "v1").exists()
