"""Models that bring code, where none is allowed."""

from pathlib import Path

import pytest

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.inference.assets import ModelAssets
from viridian_serving.settings.config import Settings, load
from viridian_serving.triton.model_code import refuse_beside
from viridian_serving.triton.repository import write_repository

ONNX = 'backend: "onnxruntime"\n'
BACKENDS = ("onnxruntime", "python", "pytorch", "tensorrt", "openvino")


def lay(root: Path, *files: str, config: str = "") -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    if config:
        (root / "config.pbtxt").write_text(config)
    return root


def write(source: Path, target: Path, *, allow_code: bool) -> None:
    write_repository(source, "m", target / "repository", BACKENDS, allow_code=allow_code)


@pytest.mark.parametrize(
    ("files", "config", "says"),
    [
        (["1/model.py"], 'backend: "python"', "backend python runs a model's own code"),
        (["1/model.py"], "", "backend python"),
        (["1/model.onnx"], 'backend: "python"', "backend python"),
        (["1/model.pt"], 'platform: "pytorch_libtorch"', "backend pytorch"),
        (["1/model.onnx"], ONNX + 'model_operations { op_library_filename: ["/mnt/x"] }', "names libraries"),
        (["1/model.onnx"], ONNX + 'runtime: "libtriton_mine.so"', "names libraries"),
        (["1/model.onnx", "1/libtriton_onnxruntime.so"], ONNX, "libtriton_onnxruntime.so is a library"),
        (["1/model.onnx", "1/libx.so.1.2"], ONNX, "libx.so.1.2 is a library"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_repository_that_runs_code_is_refused_with_a_way_out(
    tmp_path: Path, files: list[str], config: str, says: str
) -> None:
    # given
    source = lay(tmp_path / "iris", *files, config=config)
    # when it may bring code, then it is served
    write(source, tmp_path / "allowed", allow_code=True)
    # and else it is not, and nothing is made
    with pytest.raises(ModelError, match=r"serving\.allowModelCode") as told:
        write(source, tmp_path / "refused", allow_code=False)
    assert says in str(told.value)
    assert not (tmp_path / "refused").exists()


@pytest.mark.parametrize("config", [ONNX, "", 'platform: "onnxruntime_onnx"', 'backend: "openvino"'])
def test_a_graph_is_no_code(tmp_path: Path, config: str) -> None:
    write(lay(tmp_path / "iris", "1/model.onnx", "labels.txt", config=config), tmp_path, allow_code=False)
    assert (tmp_path / "repository" / "m" / "1").exists()


@pytest.mark.parametrize("name", ["preprocess.py", "libtriton_onnxruntime.so", "x.so.1"])
def test_what_lies_beside_a_model_and_is_run_is_refused(tmp_path: Path, name: str) -> None:
    refuse_beside(lay(tmp_path, "model.onnx", "schema.yaml", "sample.json", "model.onnx.data", "also.py"))
    with pytest.raises(ModelError, match=rf"{name} is .*serving\.allowModelCode"):
        refuse_beside(lay(tmp_path, name))


@pytest.mark.parametrize("allowed", [True, False])
def test_the_api_runs_nothing_that_is_not_allowed(tmp_path: Path, allowed: bool) -> None:
    # given a model with preprocess.py
    lay(tmp_path, "model.onnx", "preprocess.py")
    (tmp_path / "schema.yaml").write_text("features:\n- {name: age, type: integer}\n")
    assets = ModelAssets.find(_settings(tmp_path, allowed))
    # then it is found only where it may run
    assert (assets.script is not None) is allowed
    assert assets.declared is not None


def _settings(folder: Path, allowed: bool) -> Settings:
    return load(
        {
            "VIRIDIAN_NAMESPACE": "default",
            "VIRIDIAN_MODEL": "iris",
            "VIRIDIAN_MODEL_VERSION": "v1",
            "VIRIDIAN_MODEL_URI": f"image://{folder}",
            "VIRIDIAN_REVISION": "iris-1",
            "VIRIDIAN_POD_UID": "uid",
            "VIRIDIAN_COLOR": "blue",
            "VIRIDIAN_ALLOW_MODEL_CODE": str(allowed).lower(),
        }
    )
