"""Format mlflow: MLmodel says which flavours a model has, what it takes and what it gives; it is served as one of ours.

A signature is not required by MLflow. Without one nobody knows the columns, and the model has to be imported with a
sample.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from viridian_serving.artifacts.locate import MLFLOW_FILE, MODEL_FILE, NATIVE_FILE, ModelError
from viridian_serving.settings.config import Format

_FILES: Final = {"sklearn": "pickled_model", "xgboost": "data", "lightgbm": "data"}
"""What names the model's file, by flavour."""
_VERSIONS: Final[Mapping[Format, tuple[str, str]]] = {
    "sklearn": ("scikit-learn", "sklearn_version"),
    "xgboost": ("xgboost", "xgb_version"),
    "lightgbm": ("lightgbm", "lgb_version"),
}
_METHODS: Final = ("predict", "predict_proba")
_FEATURES: Final = {
    **dict.fromkeys(("double", "float"), "number"),
    **dict.fromkeys(("integer", "long"), "integer"),
    "string": "string",
    "boolean": "boolean",
}
_OUTPUTS: Final = {
    ("int", "uint", "long"): "INT64",
    ("float", "double"): "FP64",
    ("str", "object"): "BYTES",
}
"""Triton's types, by how MLflow's and numpy's begin."""
_ANSWER: Final = "prediction"


def as_served(folder: Path, target: Path) -> tuple[Format, Path]:
    """Make a folder that is served out of one of MLflow.

    Args:
        folder: Has a file MLmodel.
        target: Where to make it, with links to what is in the other; what is there is removed.

    Returns:
        The format, and the folder that has it.

    Raises:
        ModelError: No flavour can be served.
    """
    document = _read(folder)
    flavors = document["flavors"]
    if "onnx" in flavors:
        if not (folder / MODEL_FILE).is_file():
            raise _impossible(folder, f"its flavour onnx has no {MODEL_FILE}")
        return "onnx", folder
    for flavor in _VERSIONS:
        if flavor in flavors:
            _write(folder, flavor, document, target)
            return flavor, target
    raise _impossible(
        folder, f"of its flavours {', '.join(map(str, flavors))} none is onnx, sklearn, xgboost or lightgbm"
    )


def _read(folder: Path) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load((folder / MLFLOW_FILE).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise _impossible(folder, f"{MLFLOW_FILE} cannot be read ({' '.join(str(error).split())})") from None
    if not isinstance(document, dict) or not isinstance(document.get("flavors"), dict):
        raise _impossible(folder, f"{MLFLOW_FILE} names no flavors")
    return document


def _write(folder: Path, flavor: Format, document: Mapping[str, Any], target: Path) -> None:
    entry = document["flavors"][flavor]
    function = document["flavors"].get("python_function") or {}
    if not isinstance(entry, dict) or not isinstance(function, dict):
        raise _impossible(folder, f"its flavour {flavor} says nothing")
    if entry.get("code") or function.get("code"):
        raise _impossible(folder, "modules of its own were logged with it")
    method = function.get("predict_fn") or _METHODS[0]
    if method not in _METHODS:
        raise _impossible(folder, f"its predict_fn is {method}, which is neither of {' and '.join(_METHODS)}")
    name = str(entry.get(_FILES[flavor]))
    file = folder / name
    if not file.is_file() or not file.resolve().is_relative_to(folder.resolve()):
        raise _impossible(folder, f"its flavour {flavor} names {name!r}, which is not there")
    package, key = _VERSIONS[flavor]
    layout, features = _taken(folder, document)
    described: dict[str, Any] = {
        "format": flavor,
        "file": _known_name(folder, flavor, entry, file),
        "layout": layout,
        "features": features,
        "outputs": [{"name": _ANSWER, "method": method, **_given(folder, document)}],
        "empty": [],
        "versions": {package: str(entry[key])} if entry.get(key) else {},
    }
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for each in folder.iterdir():
        if each.name != NATIVE_FILE:
            (target / each.name).symlink_to(each)
    if not (target / described["file"]).exists():
        (target / described["file"]).symlink_to(file)
    (target / NATIVE_FILE).write_text(json.dumps(described))


def _known_name(folder: Path, flavor: Format, entry: Mapping[str, Any], file: Path) -> str:
    """Return a name for the file that tells what it is: MLflow's own do not always."""
    if flavor == "sklearn" or file.suffix == ".pkl":
        return str(file.relative_to(folder))
    if flavor == "lightgbm":
        return "model.txt"
    if not str(entry.get("model_class", "")).startswith("xgboost.sklearn."):
        raise _impossible(
            folder, "it is a Booster of XGBoost, whose answers depend on how it is asked: log the estimator"
        )
    with file.open("rb") as opened:
        beginning = opened.read(2)
    if beginning[:1] != b"{":
        raise _impossible(folder, f"{file.name} is in a format that XGBoost has given up")
    return "model.json" if beginning[1:].isspace() or beginning[1:] == b'"' else "model.ubj"


def _taken(folder: Path, document: Mapping[str, Any]) -> tuple[str, list[dict[str, str]]]:
    """Return how the model takes rows, and its features."""
    columns = _side(folder, document, "inputs")
    if len(columns) == 1 and columns[0].get("type") == "tensor":
        dtype, shape = _tensor(folder, columns[0])
        if len(shape) != 2 or shape[1] < 1 or not dtype.startswith(("float", "int")):
            raise _impossible(
                folder, f"its input is a tensor of {dtype} and the shape {shape}, and not a table of numbers"
            )
        return "array", [{"name": f"x{at}", "type": "number"} for at in range(shape[1])]
    features = [{"name": str(each.get("name")), "type": _FEATURES.get(str(each.get("type")), "")} for each in columns]
    for each, column in zip(features, columns, strict=True):
        if not column.get("name") or not each["type"]:
            raise _impossible(folder, f"its column {column.get('name')!r} is of the type {column.get('type')}")
    return "frame", features


def _given(folder: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return type and size of what the model answers for a row."""
    outputs = _side(folder, document, "outputs")
    if len(outputs) != 1:
        raise _impossible(folder, f"it has {len(outputs)} outputs")
    dtype, shape = str(outputs[0].get("type")), [-1]
    if dtype == "tensor":
        dtype, shape = _tensor(folder, outputs[0])
    size = shape[1] if len(shape) == 2 else 1
    datatype = next((name for beginnings, name in _OUTPUTS.items() if dtype.startswith(beginnings)), None)
    if datatype is None or len(shape) > 2 or size < 1:
        raise _impossible(folder, f"its output is of {dtype} and the shape {shape}")
    return {"type": datatype, "size": size}


def _side(folder: Path, document: Mapping[str, Any], side: str) -> list[dict[str, Any]]:
    try:
        columns = json.loads(document["signature"][side])
        if columns and all(isinstance(each, dict) for each in columns):
            return list(columns)
    except (KeyError, TypeError, ValueError):
        pass
    raise _impossible(folder, f"it was logged without a signature of its {side} (mlflow.models.infer_signature)")


def _tensor(folder: Path, column: Mapping[str, Any]) -> tuple[str, list[int]]:
    try:
        spec = column["tensor-spec"]
        return str(spec["dtype"]), [int(each) for each in spec["shape"]]
    except (KeyError, TypeError, ValueError):
        raise _impossible(folder, "its signature has a tensor without a shape") from None


def _impossible(folder: Path, why: str) -> ModelError:
    return ModelError(
        f"{folder} is a model of MLflow that cannot be served as it is: {why}; import it: viridian import "
        "FOLDER --sample train.csv"
    )
