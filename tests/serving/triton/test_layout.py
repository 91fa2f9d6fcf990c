"""Where Triton is, what it needs, and which of its backends runs a model."""

import importlib.util
from pathlib import Path

import pytest
from tests.serving import models

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.commands.triton import prepare, worker_host
from viridian_serving.settings.config import Settings
from viridian_serving.triton import layout
from viridian_serving.triton.layout import TritonLayout
from viridian_serving.triton.pbtxt import messages, parse, scalar

STUB = "triton_python_backend_stub"


def installation(root: Path, *backends: str, stub: str = f"backends/python/{STUB}") -> Path:
    """A Triton as in an image, of empty files."""
    for name in ("bin/tritonserver", "lib/libtritonserver.so", stub, *(f"backends/{name}/x.so" for name in backends)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "backends" / "python").mkdir(parents=True, exist_ok=True)
    return root


def settings(root: Path, file: Path, **more: object) -> Settings:
    given = dict.fromkeys(("namespace", "model_version", "revision", "pod_uid"), "x")
    return Settings.model_validate(
        given
        | {"model": "prices", "color": "blue", "model_uri": "image:///", "image_root": file, "cpu_limit": 1.0}
        | {"run_dir": root / "run", "triton_home": root / "tritonserver"}
        | more
    )


@pytest.mark.parametrize("named", ["the folder", "the file"])
def test_triton_s_own_onnx_runtime_is_used_where_it_is(tmp_path: Path, named: str) -> None:
    # given a model with a file beside it, and a Triton as in NVIDIA's image
    file = models.lookup(tmp_path / "models" / "v1")
    (file.parent / "weights.bin").touch()
    file = file.rename(file.with_name("model.onnx" if named == "the folder" else "prices.onnx"))
    installation(tmp_path / "tritonserver", "onnxruntime", "tensorrt")
    # when
    command, environment = prepare(
        settings(tmp_path, file.parent if named == "the folder" else file), {"LD_LIBRARY_PATH": "/usr/local/cuda/lib"}
    )
    # then its configuration is for that backend, which gets the user's files as they lie
    model = tmp_path / "run" / "repository" / "prices"
    config = parse((model / "config.pbtxt").read_text())
    assert scalar(config, "backend") == "onnxruntime"
    assert scalar(config, "default_model_filename") == file.name
    assert (model / "1" / scalar(config, "default_model_filename")).samefile(file)
    assert (model / "1" / "weights.bin").exists()
    assert not (model / "1" / "model.py").exists()
    parameters = {
        scalar(p, "key"): scalar(messages(p, "value")[0], "string_value") for p in messages(config, "parameters")
    }
    assert parameters == {"intra_op_thread_count": "1", "inter_op_thread_count": "1"}
    # and the image's own libraries are found as well
    assert f"--backend-directory={tmp_path / 'run' / 'backends'}" in command
    assert (tmp_path / "run" / "backends" / "onnxruntime" / "x.so").exists()
    paths = environment["LD_LIBRARY_PATH"].split(":")
    assert paths[0] == str(tmp_path / "tritonserver" / "lib")
    assert paths[-1] == "/usr/local/cuda/lib"


def test_without_it_the_model_runs_in_the_python_backend(tmp_path: Path) -> None:
    # given
    file = models.lookup(tmp_path / "models" / "v1")
    installation(tmp_path / "tritonserver", "tensorrt")
    # when, twice: a container is started again
    for _ in range(2):
        prepare(settings(tmp_path, file), {})
    # then
    model = tmp_path / "run" / "repository" / "prices"
    assert scalar(parse((model / "config.pbtxt").read_text()), "backend") == "python"
    assert (model / "1" / "model.py").exists()


def test_a_base_with_triton_s_onnx_runtime_serves_repositories_that_need_it(tmp_path: Path) -> None:
    # given
    folder = tmp_path / "repository" / "iris"
    models.lookup(folder / "1")
    (folder / "config.pbtxt").write_text('platform: "onnxruntime_onnx"')
    installation(tmp_path / "tritonserver", "onnxruntime")
    # when
    prepare(settings(tmp_path, folder, model_format="triton"), {})
    # then
    assert (tmp_path / "run" / "repository" / "prices" / "1" / "model.onnx").samefile(folder / "1" / "model.onnx")


def test_no_triton_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"there is no Triton in .*pip install nvidia-pytriton"):
        TritonLayout.find(tmp_path)


def test_a_triton_for_other_pythons(tmp_path: Path) -> None:
    home = installation(tmp_path, stub=f"python_backend_stubs/3.8/{STUB}")
    with pytest.raises(
        ModelError, match=r"has no python backend for Python 3\.\d+ \(it has: 3\.8\); use one that it has"
    ):
        TritonLayout.find(home)


def test_numpy_2_would_make_every_answer_of_the_wheel_s_triton_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "version", {"numpy": "2.1.0"}.get)
    with pytest.raises(ModelError, match=r"numpy 2\.1\.0; pip install 'numpy<2'"):
        TritonLayout.find(tmp_path)
    assert TritonLayout.find(installation(tmp_path)).server == tmp_path / "bin" / "tritonserver"


def test_without_bash_triton_would_wait_for_its_backend_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelError, match="bash, which is not on the PATH; install bash"):
        TritonLayout.find(installation(tmp_path))


def test_without_libpython_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "_PYTHON", "3.99")
    monkeypatch.setattr(layout, "_LIBPYTHON", "libpython3.99.so.1.0")
    with pytest.raises(ModelError, match=r"needs libpython3\.99\.so\.1\.0, .* apt-get install libpython3\.99"):
        TritonLayout.find(installation(tmp_path))


def test_code_of_the_model_s_author_finds_no_secret_of_the_api_in_the_environment(tmp_path: Path) -> None:
    # given a container that was told what is the API's, and a variable of the user's
    models.lookup(tmp_path / "models")
    (tmp_path / "models" / "preprocess.py").touch()
    installation(tmp_path / "tritonserver", "onnxruntime")
    made = settings(tmp_path, tmp_path / "models")
    environ = {"OTEL_EXPORTER_OTLP_HEADERS": "a=b", "VIRIDIAN_FEEDBACK_KEY": "k", "VIRIDIAN_MODEL": "m", "CITIES": "c"}
    # when
    _, of_triton = prepare(made, environ)
    workers = worker_host(made, environ)
    # then
    assert workers is not None
    workers.close()
    assert of_triton.keys() - {"PATH", "LD_LIBRARY_PATH"} == {"VIRIDIAN_MODEL", "CITIES"}
    assert workers.environment == {"CITIES": "c"}


@pytest.mark.parametrize(("beside", "allowed"), [("preprocess.py", False), ("schema.yaml", True)])
def test_nothing_listens_where_there_is_nothing_to_run(tmp_path: Path, beside: str, allowed: bool) -> None:
    models.lookup(tmp_path / "models")
    (tmp_path / "models" / beside).touch()
    assert worker_host(settings(tmp_path, tmp_path / "models", allow_model_code=allowed), {}) is None


def test_a_folder_in_which_nothing_can_listen_is_said(tmp_path: Path) -> None:
    models.lookup(tmp_path / "models")
    (tmp_path / "models" / "preprocess.py").touch()
    (tmp_path / "run").touch()
    with pytest.raises(ModelError, match=r"nothing can listen on .* let VIRIDIAN_RUN_DIR be a folder"):
        worker_host(settings(tmp_path, tmp_path / "models"), {})
