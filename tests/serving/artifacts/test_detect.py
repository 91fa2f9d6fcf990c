"""viridian-serve without its servers: what it finds, what it refuses, and what it writes in a terminal."""

import json
import os
import shlex
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from viridian_serving.artifacts.detect import LocalModel, find
from viridian_serving.artifacts.locate import ModelError
from viridian_serving.commands import serve
from viridian_serving.commands.local_pod import readable
from viridian_serving.commands.quickstart import quickstart, request, sample, sample_command
from viridian_serving.commands.serve import environment_of, main


def lay(root: Path, *files: str) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    return root


@pytest.mark.parametrize(
    ("files", "named", "found"),
    [
        (["iris.onnx"], "iris.onnx", ("onnx", "iris", "dev")),
        (["Iris Model (2).onnx"], "Iris Model (2).onnx", ("onnx", "iris-model-2", "dev")),
        (["2024.onnx"], "2024.onnx", ("onnx", "root", "2024")),
        (["iris/model.onnx"], "iris", ("onnx", "iris", "dev")),
        (["iris/model.onnx"], "iris/model.onnx", ("onnx", "iris", "dev")),
        (["iris/model.onnx"], "iris/../iris/", ("onnx", "iris", "dev")),
        (["iris/v1.2.0/model.onnx"], "iris/v1.2.0", ("onnx", "iris", "v1.2.0")),
        (["iris/v1.2.0/model.onnx"], "iris", ("onnx", "iris", "v1.2.0")),
        (["3d_shapes/model.onnx"], "3d_shapes", ("onnx", "model-3d-shapes", "dev")),
        (["日本/model.onnx"], "日本", ("onnx", "model", "dev")),
        (["x" * 80 + "/model.onnx"], "x" * 80, ("onnx", "x" * 57, "dev")),
        (["repo/iris/config.pbtxt"], "repo", ("triton", "iris", "dev")),
        (["repo/iris/1/model.py"], "repo", ("triton", "iris", "dev")),
        (["repo/iris/1/model.onnx", "repo/iris/config.pbtxt"], "repo/iris", ("triton", "iris", "dev")),
        (["iris/model.onnx", "iris/1/notes.txt"], "iris", ("onnx", "iris", "dev")),
    ],
)
def test_format_name_and_version_are_found_out(
    tmp_path: Path, files: list[str], named: str, found: tuple[str, str, str]
) -> None:
    root = lay(tmp_path / "root", *files)
    model = find(root / named)
    assert (model.format, model.name, model.version) == found
    assert model.path.is_absolute()
    assert ".." not in model.path.parts


def test_a_link_s_own_name_is_the_model_s(tmp_path: Path) -> None:
    lay(tmp_path, "store/9f0c/model.onnx")
    (tmp_path / "iris").symlink_to(tmp_path / "store" / "9f0c")
    assert find(tmp_path / "iris").name == "iris"


@pytest.mark.parametrize(
    ("files", "named", "words"),
    [
        (
            ["notes.txt"],
            ".",
            "holds no model (found: notes.txt). Looked for: model.onnx; or a model repository of Triton",
        ),
        (["iris.onnx", "notes.txt"], ".", "; run viridian-serve {root}/iris.onnx"),
        (["a/config.pbtxt", "b/config.pbtxt"], ".", "holds 2 models (a, b); leave one, or name its folder"),
        (["model.pkl"], "model.pkl", "viridian import {root}/model.pkl --trusted --sample data.csv"),
        (["model.PT"], "model.PT", "export it to ONNX: torch.onnx.export"),
        (["iris.tar.gz"], "iris.tar.gz", "is an archive; unpack it and name the folder"),
        (["iris/config.pbtxt"], "iris/config.pbtxt", "name the folder that it is in"),
    ],
)
def test_where_there_is_no_model_it_says_what_was_looked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: list[str], named: str, words: str
) -> None:
    # given
    root = lay(tmp_path, *files)
    # when
    code = main([str(root / named)])
    # then
    assert code == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("viridian-serve: ")
    assert words.format(root=root) in printed.err
    assert printed.err.count("\n") == 1


def test_an_empty_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    with pytest.raises(ModelError, match="is empty"):
        find(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("closed", [".", "iris", "iris/model.onnx"])
def test_what_may_not_be_read_is_named(tmp_path: Path, closed: str) -> None:
    root = lay(tmp_path / "root", "iris/model.onnx")
    (root / closed).chmod(0)
    try:
        with pytest.raises(ModelError, match=rf"may not be read by user {os.getuid()}; make the files readable"):
            find(root / "iris")
    finally:
        (root / closed).chmod(0o700)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "viridian-serve: there is no nowhere for this user; name the file or folder of a model"),
        ([], "the following arguments are required: model"),
        (["{model}", "--port", "http"], "argument --port: 'http' is no port; write a number from 1 to 65535"),
        (["{model}", "--port", "65536"], "argument --port: '65536' is no port"),
        (
            ["{model}", "--name", "My Model"],
            "argument --name: 'My Model' is no name of a model; write at most 57 lower-case",
        ),
        (["{model}", "--version", "v1 final"], "argument --version: 'v1 final' is no version"),
        (["{model}", "--version", "latest"], "VIRIDIAN_MODEL_VERSION='latest' cannot be used"),
        (["{model}", "--format", "pickle"], "argument --format: invalid choice: 'pickle'"),
    ],
)
def test_a_wrong_command_is_refused_with_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    # given
    model = lay(tmp_path / "iris", "model.onnx")
    # when
    try:
        code: object = main([argument.format(model=model) for argument in arguments])
    except SystemExit as error:
        code = error.code
    # then
    assert code == 2
    assert words in capsys.readouterr().err


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_taken_port_is_named_and_another_proposed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], taken: int
) -> None:
    model = lay(tmp_path / "iris", "model.onnx")
    assert main([str(model), "--port", str(taken)]) == 1
    assert f"port {taken} on 127.0.0.1 is taken; " in capsys.readouterr().err


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_a_host_that_is_not_this_machine_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    model = lay(tmp_path / "iris", "model.onnx")
    assert main([str(model), "--host", host]) == 1
    assert f"{host} is no address of this machine" in capsys.readouterr().err


def test_the_image_sets_where_it_listens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRIDIAN_BIND", "203.0.113.7")
    assert main([str(lay(tmp_path / "iris", "model.onnx"))]) == 1
    assert "203.0.113.7 is no address of this machine" in capsys.readouterr().err


def test_what_the_user_sets_is_kept_save_what_the_command_line_says(tmp_path: Path) -> None:
    # given
    model = LocalModel(tmp_path, "onnx", "iris", "v1")
    ports = dict.fromkeys(("HTTP_PORT", *serve._PORTS), 1)
    given = {"VIRIDIAN_TIMEOUT": "2s", "VIRIDIAN_GRPC_PORT": "8001", "VIRIDIAN_MODEL": "other", "HOME": "/root"}
    # when
    made = environment_of(model, ports, "127.0.0.1", tmp_path, given)
    # then
    assert (made["VIRIDIAN_TIMEOUT"], made["VIRIDIAN_GRPC_PORT"], made["HOME"]) == ("2s", "8001", "/root")
    assert (made["VIRIDIAN_MODEL"], made["VIRIDIAN_HTTP_PORT"], made["VIRIDIAN_NAMESPACE"]) == ("iris", "1", "local")


# -- what it prints

INPUTS = [
    {"name": "it's", "datatype": "BYTES", "shape": [1]},
    {"name": "x", "datatype": "FP32", "shape": [2, -1]},
    {"name": "flag", "datatype": "BOOL", "shape": []},
]
SMALL = {"it's": ["", "x"], "x": [[0.5], [0.5]], "flag": False}
LARGE = {"it's": [["", ""]], "pixels": [[[0] * 32] * 32] * 3, "flag": True}


def sent(command: str) -> bytes:
    """What the shell makes of a command, with something instead of curl that gives what it would send."""
    stand_in = 'curl() { shift 3; if [ "$1" = @- ]; then cat; else printf %s "$1"; fi; }; '
    return subprocess.run(["bash", "-c", stand_in + command], capture_output=True, check=True).stdout


@pytest.mark.parametrize("instance", [SMALL, LARGE], ids=["small", "large"])
def test_an_instance_becomes_a_command_that_sends_it(instance: dict[str, object]) -> None:
    # when
    command = request(instance).command("http://127.0.0.1:8000")
    # then
    assert json.loads(sent(command)) == instance
    assert len(command) < 600


def test_a_sample_is_written_by_a_command_with_the_model_s_names_and_sizes(tmp_path: Path) -> None:
    # given
    file = tmp_path / "it's here" / "sample.json"
    file.parent.mkdir()
    # when
    subprocess.run(["bash", "-c", sample_command(INPUTS, str(file))], check=True)
    # then
    sample = json.loads(file.read_text())
    assert (sample["it's"], sample["flag"]) == (["text"], True)
    assert [len(row) for row in sample["x"]] == [224, 224]


def test_the_sample_beside_the_model_is_sent_as_it_is(tmp_path: Path) -> None:
    small, large = b'{"name": "O\'Hara $HOME"}\n', json.dumps([[0] * 1000]).encode()
    assert json.loads(sent(sample(small, "sample.json").command("http://h"))) == json.loads(small)
    assert sample(large, "/my model/sample.json").command("http://h") == (
        f"curl -s http://h/predict -d {shlex.quote('@/my model/sample.json')}"
    )


def test_the_welcome_says_where_what_and_how() -> None:
    # given
    health = {
        "model": "iris",
        "version": "v1",
        "inputs": INPUTS[:2],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": []}],
    }
    features = [{"name": "it's", "type": "string", "shape": []}, {"name": "x", "type": "number", "shape": [2, -1]}]
    # when
    text = quickstart(health, features, "http://127.0.0.1:8000", request(SMALL))
    # then
    assert text.splitlines()[1:8] == [
        "Model iris, version v1, is ready at http://127.0.0.1:8000",
        "",
        "  takes  it's  BYTES  [1]",
        "         x  FP32  [2, any]",
        "  gives  y  FP32  []",
        "  docs   http://127.0.0.1:8000/docs",
        "",
    ]
    assert "sample.json beside the model" in quickstart(health, features, "http://127.0.0.1:8000", None)


def test_the_welcome_names_what_clients_send_where_a_schema_makes_the_inputs_of_it() -> None:
    # given a model whose one input is made of features
    health = {
        "model": "iris",
        "version": "v1",
        "inputs": [{"name": "X", "datatype": "FP32", "shape": [20]}],
        "outputs": [],
    }
    features = [{"name": f"f{each}", "type": "number", "shape": []} for each in range(20)]
    # when
    lines = quickstart(health, features, "http://h", None).splitlines()
    # then
    assert lines[3:6] == ["  takes  f0  number", "         f1  number", "         f2  number"]
    assert "         … and 8 more, see http://h/schema" in lines
    assert not [line for line in lines if "FP32" in line]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("2026-01-02 03:04:05,678 INFO viridian.api ready", "03:04:05  ready"),
        ("2026-01-02 03:04:05,678 ERROR viridian.triton lost", "03:04:05  ERROR  lost"),
        ('E0102 03:04:05.123456 42 model.cc:1] "no \\"such\\" file"', '03:04:05  ERROR  Triton: no \\"such\\" file'),
        ("W0102 03:04:05.123456 42 model.cc:1] careful", "03:04:05  WARNING  Triton: careful"),
        ("what a model prints", "what a model prints"),
        ('E0102 03:04:05.1 42 cuda_utils.cc:1] "CudaDriverHelper has not been initialized."', None),
        ("2026-01-02 03:04:05,678 INFO viridian.api settings: {}", None),
        ("Signal (15) received.", None),
    ],
)
def test_log_lines_are_shortened(line: str, shown: str | None) -> None:
    assert readable(line) == shown
