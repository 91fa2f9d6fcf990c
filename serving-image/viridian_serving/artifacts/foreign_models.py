"""What people bring instead of an ONNX file: how it is known, by the file or by the folder, and how it becomes one."""

import shlex
from pathlib import Path
from typing import Final

_SKLEARN: Final = (
    "a pickle, which is code that runs only where the same packages are; if you trust its author, import it to ONNX: "
    "viridian import FILE --trusted --sample data.csv"
)
_SKOPS: Final = "a model in skops' format; import it to ONNX: viridian import FILE --sample data.csv"
_PYTORCH: Final = (
    "a model of PyTorch; export it to ONNX: torch.onnx.export(model, example, 'model.onnx', "
    "dynamic_axes={'input': {0: 'batch'}}, input_names=['input'])"
)
_KERAS: Final = (
    "a model of Keras; import it to ONNX: viridian import FILE --trusted --sample data.csv --python PYTHON, by a "
    "Python with tensorflow and tf2onnx"
)
_SAVED_MODEL: Final = (
    "a SavedModel of TensorFlow; import it to ONNX: viridian import FOLDER --trusted --sample data.csv --python "
    "PYTHON, by a Python with tensorflow and tf2onnx; if it takes no rows of numbers: python -m tf2onnx.convert "
    "--saved-model FOLDER --output model.onnx"
)
_XGBOOST: Final = "a model of XGBoost; import it to ONNX: viridian import FILE --sample data.csv"
_LIGHTGBM: Final = "a model of LightGBM; import it to ONNX: viridian import FILE --sample data.csv"
_CATBOOST: Final = "a model of CatBoost; import it to ONNX: viridian import FILE --sample data.csv"
_MLFLOW: Final = (
    "a model of MLflow; import it to ONNX: viridian import FOLDER --sample data.csv, or serve it as it is with format "
    "mlflow"
)
_HUGGING_FACE: Final = (
    "a model of Hugging Face; export it to ONNX: optimum-cli export onnx --model FOLDER OUT, and serve OUT/model.onnx"
)
_SAFETENSORS: Final = (
    "a file of weights without their model; for one of Hugging Face: optimum-cli export onnx --model FOLDER OUT, and "
    "serve OUT/model.onnx"
)
_TFLITE: Final = (
    "a model of TensorFlow Lite; export it to ONNX: python -m tf2onnx.convert --tflite FILE --output model.onnx"
)
_SUFFIXES: Final = {
    **dict.fromkeys((".pkl", ".pickle", ".joblib", ".cloudpickle"), _SKLEARN),
    ".skops": _SKOPS,
    **dict.fromkeys((".pt", ".pth", ".pt2", ".ckpt"), _PYTORCH),
    **dict.fromkeys((".h5", ".hdf5", ".keras"), _KERAS),
    **dict.fromkeys((".ubj", ".bst", ".xgb"), _XGBOOST),
    **dict.fromkeys((".lgb", ".lgbm"), _LIGHTGBM),
    ".cbm": _CATBOOST,
    ".tflite": _TFLITE,
    ".safetensors": _SAFETENSORS,
    **dict.fromkeys((".zip", ".tar", ".gz", ".tgz"), "an archive; unpack it and name the folder"),
    ".pbtxt": "a model's configuration; name the folder that it is in",
}
_NAMES: Final = {"saved_model.pb": _SAVED_MODEL, "MLmodel": _MLFLOW}
"""These files are told by what their folder is; the command is about that."""
_BEGINNING: Final = 4096
"""Bytes by which a file is known whose name says nothing."""


def way_out(path: Path) -> str | None:
    """Return what a file or folder is that is no ONNX model, and how to make one of it.

    Args:
        path: It exists.

    Returns:
        The end of a sentence, after "is"; None when it is not known.
    """
    if path.is_dir():
        return _of_folder(path)
    return _named(_of_file(path), path.parent if path.name in _NAMES else path)


def _named(words: str | None, path: Path) -> str | None:
    """The sentence with the path in its command, so that it can be pasted."""
    if words is None:
        return None
    return words.replace("FILE", quoted := shlex.quote(str(path))).replace("FOLDER", quoted)


def _of_file(file: Path) -> str | None:
    if file.name in _NAMES:
        return _NAMES[file.name]
    suffix = file.suffix.lower()
    if suffix in (".json", ".txt", ".model", ".bin"):
        return _of_content(file)
    return _SUFFIXES.get(suffix)


def _of_content(file: Path) -> str | None:
    try:
        with file.open("rb") as opened:
            beginning = opened.read(_BEGINNING).lstrip()
    except OSError:
        return None  # who wants to read it says so
    if beginning.startswith(b"{") and b'"learner"' in beginning:
        return _XGBOOST
    if beginning.startswith((b"tree\n", b"tree\r\n")) or beginning == b"tree":
        return _LIGHTGBM
    if file.name.startswith("pytorch_model") and file.suffix == ".bin":
        return _HUGGING_FACE
    return _XGBOOST if b"learner" in beginning[:64] or beginning.startswith(b"binf") else None


def _of_folder(folder: Path) -> str | None:
    """A folder is what its most telling file is: that of MLflow may hold a pickle, and that of Hugging Face weights."""
    try:
        files = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError:
        return None  # who wants to list it says so
    names = {file.name for file in files}
    if "MLmodel" in names:
        return _named(_MLFLOW, folder)
    if "saved_model.pb" in names:
        return _named(_SAVED_MODEL, folder)
    if "config.json" in names and any(map(_is_weights, names)):
        return _named(_HUGGING_FACE, folder)
    return next((_named(found, file) for file in files if file.is_file() and (found := _of_file(file))), None)


def _is_weights(name: str) -> bool:
    return name.endswith(".safetensors") or (name.startswith("pytorch_model") and name.endswith((".bin", ".json")))
