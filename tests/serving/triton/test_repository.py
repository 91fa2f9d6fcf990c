"""Format triton: which repositories are taken, and what becomes of them."""

from pathlib import Path

import pytest

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.triton.pbtxt import messages, parse, scalar, values
from viridian_serving.triton.repository import write_repository

PYTHON = 'name: "iris"\nbackend: "python"\n'


def lay(root: Path, *files: str, **contents: str) -> Path:
    """Make files, named by path; a double underscore is a slash."""
    for name in (*files, *contents):
        path = root / name.replace("__", "/").replace("config", "config.pbtxt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contents.get(name, ""))
    return root


def served(path: Path, target: Path, backends: tuple[str, ...] = ("python",)) -> Path:
    write_repository(path, "m", target / "repository", backends)
    return target / "repository" / "m"


@pytest.mark.parametrize(
    ("prefix", "start"), [("repo/iris/", ""), ("wrapped/repo/iris/", "wrapped"), ("iris/", "iris"), ("", "")]
)
def test_the_model_is_found_in_a_repository_or_by_itself(tmp_path: Path, prefix: str, start: str) -> None:
    # given
    source = tmp_path / "source"
    lay(source, f"{prefix}1/model.py", **{f"{prefix}config": PYTHON})
    # when
    made = served(source / start if start else source, tmp_path)
    # then it has our name, and its files are the user's
    assert (made / "1" / "model.py").resolve() == source / prefix / "1" / "model.py"
    assert scalar(parse((made / "config.pbtxt").read_text()), "name") == ""
    assert scalar(parse((made / "config.pbtxt").read_text()), "backend") == "python"


def test_a_repository_without_a_configuration_is_left_to_triton(tmp_path: Path) -> None:
    lay(tmp_path / "source", "iris/1/model.py", "iris/labels.txt", "README.md")
    made = served(tmp_path / "source", tmp_path)
    assert sorted(path.name for path in made.iterdir()) == ["1", "labels.txt"]


@pytest.mark.parametrize(
    ("policy", "version"),
    [
        ("", "10"),
        ("version_policy { latest {} }", "10"),
        ("version_policy: { latest: { num_versions: 1 } }", "10"),
        ("version_policy { specific { versions: [ 2 ] } }", "2"),
        ("version_policy { specific { versions: 9 } }", "9"),
    ],
)
def test_one_version_is_served(tmp_path: Path, policy: str, version: str) -> None:
    lay(tmp_path / "iris", "2/model.py", "9/model.py", "10/model.py", config=PYTHON + policy)
    made = served(tmp_path / "iris", tmp_path)
    assert sorted(path.name for path in made.iterdir()) == [version, "config.pbtxt"]


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ('platform: "ensemble"', "is an ensemble"),
        ("ensemble_scheduling { step [ { model_name: 'a' } ] }", "is an ensemble"),
        ("backend: 'python' sequence_batching { }", "keeps state from request to request"),
        ("backend: 'python' model_transaction_policy { decoupled: True }", "is decoupled"),
        ("backend: 'python' version_policy { all {} }", "more than one version"),
        ("backend: 'python' version_policy { latest { num_versions: 2 } }", "more than one version"),
        ("backend: 'python' version_policy { specific { versions: [1, 2] } }", "more than one version"),
        ("backend: 'python' version_policy { specific { versions: 7 } }", "asks for version 7"),
        ("backend: 'onnxruntime'", "needs Triton's backend onnxruntime, which is not here"),
        ("platform: 'onnxruntime_onnx'", "serve its model.onnx with format: onnx"),
        ("platform: 'tensorrt_plan'", "NVIDIA's Triton image"),
        ("backend: 'own'", "needs Triton's backend own"),
        ("max_batch_size: 8", "does not say what runs it"),
        ("backend 'python'\n\nmax_batch_size: }", "line 3 has '}' where a value must be"),
        ("backend: 'python", 'line 1 has "\'", which has no meaning'),
        ("backend: 'python'\n{", "line 2 has '{' where the name of a field must be"),
        ("input {", "line 1 ends too early"),
    ],
)
def test_what_is_not_served_is_refused_with_the_way_out(tmp_path: Path, config: str, wanted: str) -> None:
    lay(tmp_path / "repo", "iris/1/model.bin", "iris/2/model.bin", iris__config=config)
    with pytest.raises(ModelError) as refused:
        served(tmp_path / "repo", tmp_path)
    assert wanted in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        (["a/1/model.py", "b/1/model.py"], r"holds 2 models \(a, b\); leave one, or name its folder"),
        (["model.onnx"], r"is no model repository of Triton \(found: model\.onnx\)"),
        (["a/b/c/1/model.py"], "is no model repository"),
        (["iris/config", "iris/v1/model.py"], "holds no version; put the model's files into a folder named 1"),
        (["iris/1/model.onnx"], "serve its model.onnx with format: onnx"),
    ],
)
def test_folders_that_are_no_repository_of_one_model(tmp_path: Path, files: list[str], wanted: str) -> None:
    lay(tmp_path / "repo", *files)
    with pytest.raises(ModelError, match=wanted):
        served(tmp_path / "repo", tmp_path)


def test_a_backend_that_is_there_is_used(tmp_path: Path) -> None:
    lay(tmp_path / "iris", "1/model.onnx", config='platform: "onnxruntime_onnx"')
    served(tmp_path / "iris", tmp_path, ("onnxruntime", "python"))


def test_the_text_format_of_protocol_buffers() -> None:
    # given all of its ways to write
    text = """
    # a comment
    name: "with \\"quotes\\"" ' and more'
    max_batch_size: -8;
    input [ { name: 'a', dims: [ -1, 3 ] }, < name: "b" dims: 2 dims: 4 > ]
    nested { inner: { flag: true } }
    """
    # when
    read = parse(text)
    # then
    assert scalar(read, "name") == 'with "quotes" and more'
    assert scalar(read, "max_batch_size") == "-8"
    assert [scalar(one, "name") for one in messages(read, "input")] == ["a", "b"]
    assert [[*values(one, "dims")] for one in messages(read, "input")] == [["-1", "3"], ["2", "4"]]
    assert scalar(messages(messages(read, "nested")[0], "inner")[0], "flag") == "true"
    named = next(field for field in read if field.name == "name")
    assert text[named.start : named.end].startswith("name:")
    assert text[named.start : named.end].endswith("more'")


def test_nesting_has_an_end() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parse("a {" * 1000)
