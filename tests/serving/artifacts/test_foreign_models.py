"""What people bring instead of an ONNX file: each gets its way out, as a file and as a folder."""

from pathlib import Path

import pytest

from viridian_serving.artifacts.detect import find
from viridian_serving.artifacts.locate import ModelError, model_file


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"model.joblib": "x"}, "viridian import {root}/model.joblib --trusted --sample data.csv"),
        ({"model.pkl": "x"}, "viridian import {root}/model.pkl --trusted --sample data.csv"),
        ({"model.skops": "x"}, "viridian import {root}/model.skops --sample data.csv"),
        ({"config.json": "{}", "model.safetensors": "x"}, "optimum-cli export onnx --model {root} OUT"),
        ({"config.json": "{}", "pytorch_model.bin": "x"}, "optimum-cli export onnx"),
        ({"model.safetensors": "x"}, "optimum-cli export onnx"),
        ({"saved_model.pb": "x", "variables/x": "x"}, "tf2onnx.convert --saved-model"),
        ({"model.keras": "x"}, "viridian import {root}/model.keras --trusted --sample data.csv --python PYTHON"),
        ({"model.h5": "x"}, "viridian import {root}/model.h5 --trusted --sample data.csv --python PYTHON"),
        ({"model.pt": "x"}, "torch.onnx.export"),
        ({"model.tflite": "x"}, "tf2onnx.convert --tflite"),
        ({"model.json": '{"learner":{}}'}, "viridian import {root}/model.json --sample data.csv"),
        ({"model.ubj": "x"}, "viridian import {root}/model.ubj --sample data.csv"),
        ({"model.txt": "tree\nversion=v4"}, "viridian import {root}/model.txt --sample data.csv"),
        ({"model.cbm": "x"}, "viridian import {root}/model.cbm --sample data.csv"),
    ],
)
def test_the_way_out_is_said_for_the_folder_and_the_file(tmp_path: Path, files: dict[str, str], words: str) -> None:
    # given
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    # then, on a laptop and in a pod
    for look in (find, model_file):
        with pytest.raises(ModelError) as error:
            look(tmp_path)
        assert words.format(root=tmp_path) in str(error.value)
    if len(files) == 1:
        with pytest.raises(ModelError) as error:
            find(tmp_path / next(iter(files)))
        assert words.format(root=tmp_path) in str(error.value)


def test_a_text_that_is_no_model_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("trees")
    (tmp_path / "labels.json").write_text('["a"]')
    with pytest.raises(ModelError, match="holds no model"):
        find(tmp_path)


def test_a_folder_of_mlflow_has_a_format_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors: {}")
    assert find(tmp_path).format == "mlflow"
    with pytest.raises(ModelError, match="a model of MLflow; import it to ONNX: viridian import"):
        model_file(tmp_path)
