"""Folders of MLflow as they are served, and what is said of those that are not."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.artifacts.mlflow_folder import as_served

COLUMNS = [{"type": "double", "name": "age"}, {"type": "long", "name": "visits"}, {"type": "string", "name": "city"}]
LABEL = [{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]
SKLEARN = {"sklearn": {"pickled_model": "model.pkl", "sklearn_version": "1.9.1"}}


def matrix(dtype: str, *shape: int) -> list[dict[str, Any]]:
    return [{"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(shape)}}]


def logged(
    folder: Path,
    flavors: dict[str, Any],
    inputs: list[dict[str, Any]] | None = COLUMNS,
    outputs: list[dict[str, Any]] | None = LABEL,
    **files: bytes,
) -> Path:
    """A folder as MLflow writes it."""
    folder.mkdir()
    sides = {"inputs": inputs, "outputs": outputs}
    signature = {name: json.dumps(side) for name, side in sides.items() if side is not None}
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors, "signature": signature or None}))
    for name, content in (files or {"model_pkl": b"pickle"}).items():
        (folder / name.replace("_", ".")).write_bytes(content)
    return folder


def described(folder: Path) -> Any:
    return json.loads((folder / "native.json").read_text())


def test_the_flavour_onnx_is_served_as_it_is(tmp_path: Path) -> None:
    folder = logged(tmp_path / "m", {"onnx": {"data": "model.onnx"}, **SKLEARN}, None, model_onnx=b"onnx")
    assert as_served(folder, tmp_path / "served") == ("onnx", folder)


def test_the_flavour_sklearn_by_its_signature(tmp_path: Path) -> None:
    # given
    folder = logged(tmp_path / "m", SKLEARN, model_pkl=b"pickle", schema_yaml=b"inputs: []\n")
    # when
    form, served = as_served(folder, tmp_path / "served")
    # then
    assert form == "sklearn"
    assert described(served) == {
        "format": "sklearn",
        "file": "model.pkl",
        "layout": "frame",
        "features": [
            {"name": "age", "type": "number"},
            {"name": "visits", "type": "integer"},
            {"name": "city", "type": "string"},
        ],
        "outputs": [{"name": "prediction", "method": "predict", "type": "INT64", "size": 1}],
        "empty": [],
        "versions": {"scikit-learn": "1.9.1"},
    }
    assert (served / "model.pkl").read_bytes() == b"pickle"
    assert (served / "schema.yaml").is_file()
    # and once more, as after a restart of the container
    assert as_served(folder, tmp_path / "served") == (form, served)


def test_a_table_of_numbers_without_names(tmp_path: Path) -> None:
    flavors = {**SKLEARN, "python_function": {"predict_fn": "predict_proba"}}
    folder = logged(tmp_path / "m", flavors, matrix("float64", -1, 2), matrix("float64", -1, 3))
    served = described(as_served(folder, tmp_path / "served")[1])
    assert served["layout"] == "array"
    assert served["features"] == [{"name": "x0", "type": "number"}, {"name": "x1", "type": "number"}]
    assert served["outputs"] == [{"name": "prediction", "method": "predict_proba", "type": "FP64", "size": 3}]


ESTIMATOR = "xgboost.sklearn.XGBClassifier"


@pytest.mark.parametrize(
    ("flavors", "content", "name"),
    [
        ({"xgboost": {"data": "model.xgb", "model_class": ESTIMATOR, "xgb_version": "3.1.0"}}, b"{L\0", "model.ubj"),
        ({"xgboost": {"data": "model.xgb", "model_class": ESTIMATOR}}, b'{"learner"', "model.json"),
        ({"lightgbm": {"data": "model.xgb", "lgb_version": "4.6.0"}}, b"tree\n", "model.txt"),
    ],
)
def test_files_are_called_what_they_are(tmp_path: Path, flavors: dict[str, Any], content: bytes, name: str) -> None:
    folder = logged(tmp_path / "m", flavors, model_xgb=content)
    served = as_served(folder, tmp_path / "served")[1]
    assert described(served)["file"] == name
    assert (served / name).read_bytes() == content


@pytest.mark.parametrize(
    ("flavors", "sides", "words"),
    [
        ({"pytorch": {}}, {}, "of its flavours pytorch none is onnx"),
        ({"onnx": {"data": "other.onnx"}}, {}, "its flavour onnx has no model.onnx"),
        (SKLEARN, {"inputs": None}, "without a signature of its inputs"),
        (SKLEARN, {"outputs": None}, "without a signature of its outputs"),
        (SKLEARN, {"inputs": []}, "without a signature of its inputs"),
        (SKLEARN, {"inputs": [{"type": "datetime", "name": "day"}]}, "its column 'day' is of the type datetime"),
        (SKLEARN, {"inputs": [{"type": "double"}]}, "its column None"),
        (SKLEARN, {"inputs": matrix("float32", -1, 28, 28)}, "and not a table of numbers"),
        (SKLEARN, {"outputs": matrix("datetime64[ns]", -1)}, "its output is of datetime64"),
        (SKLEARN, {"outputs": COLUMNS}, "it has 3 outputs"),
        ({"sklearn": {"pickled_model": "../m/model.pkl/.."}}, {}, "which is not there"),
        ({"sklearn": {"pickled_model": "nothing.pkl"}}, {}, "names 'nothing.pkl', which is not there"),
        ({"sklearn": {**SKLEARN["sklearn"], "code": "code"}}, {}, "modules of its own were logged with it"),
        ({**SKLEARN, "python_function": {"predict_fn": "score"}}, {}, "its predict_fn is score"),
        ({"xgboost": {"data": "MLmodel", "model_class": "xgboost.core.Booster"}}, {}, "log the estimator"),
        ({"xgboost": {"data": "MLmodel", "model_class": ESTIMATOR}}, {}, "a format that XGBoost has given up"),
    ],
)
def test_what_is_not_served_is_said_with_the_way_out(
    tmp_path: Path, flavors: dict[str, Any], sides: dict[str, Any], words: str
) -> None:
    folder = logged(tmp_path / "m", flavors, **sides)
    with pytest.raises(ModelError) as told:
        as_served(folder, tmp_path / "served")
    assert words in str(told.value)
    assert "viridian import FOLDER --sample train.csv" in str(told.value)


@pytest.mark.parametrize("content", ["flavors: [", "a list", "flavors: 1"])
def test_a_file_that_is_no_description(tmp_path: Path, content: str) -> None:
    (tmp_path / "MLmodel").write_text(content)
    with pytest.raises(ModelError, match=r"MLmodel (cannot be read|names no flavors)"):
        as_served(tmp_path, tmp_path / "served")
