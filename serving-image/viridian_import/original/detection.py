"""What a file or folder is, by its name and its first bytes."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from viridian_import.faults import ImportFault
from viridian_import.messages import Source
from viridian_import.original.mlflow_folder import FILE as MLFLOW
from viridian_import.original.mlflow_folder import read_mlflow
from viridian_serving.artifacts.foreign_models import way_out
from viridian_serving.artifacts.locate import MODEL_FILE, format_of

_SUFFIXES: Final = {
    **dict.fromkeys((".joblib", ".pkl", ".pickle", ".cloudpickle"), Source.PICKLE),
    ".skops": Source.SKOPS,
    **dict.fromkeys((".ubj", ".bst", ".xgb"), Source.XGBOOST),
    **dict.fromkeys((".lgb", ".lgbm"), Source.LIGHTGBM),
    ".cbm": Source.CATBOOST,
    **dict.fromkeys((".pt2", ".pt", ".pth"), Source.TORCH),
    **dict.fromkeys((".keras", ".h5", ".hdf5"), Source.KERAS),
    ".onnx": Source.ONNX,
}
_COMPRESSED: Final = (".gz", ".bz2", ".xz", ".lzma", ".z")
"""After the name of a pickle; joblib reads it as it is."""
_BEGINNING: Final = 4096
_FIRST_BYTES: Final = ((b"tree\n", Source.LIGHTGBM), (b"tree\r\n", Source.LIGHTGBM), (b"CBM1", Source.CATBOOST))


@dataclass(frozen=True)
class Found:
    """A model."""

    path: Path
    """Its file."""
    source: Source
    code: Path | None = None
    """A folder with modules that came with it."""


def detect(path: Path) -> Found:
    """Find out what a model comes in.

    Args:
        path: A file or folder.

    Returns:
        What it is.

    Raises:
        ImportFault: Nothing is there, or nothing that can be imported.
    """
    if not path.exists():
        raise ImportFault(f"there is no {path}; name the file or folder of a model")
    if (path / MLFLOW).is_file():
        model = read_mlflow(path)
        return replace(detect(model.file), code=model.code)
    if format_of(path) == "triton":
        raise ImportFault(
            f"{path} is a model repository of Triton, which is served as it is: viridian-serve {path}, and in the "
            "cluster with format: triton; a schema.yaml beside its version folders names its features "
            "(docs/reference/schema.md)"
        )
    if (path / MODEL_FILE).is_file():
        return Found(path / MODEL_FILE, Source.ONNX)
    if (path / "saved_model.pb").is_file():
        return Found(path, Source.KERAS)
    if (path / "config.json").is_file() and any(path.glob("*.safetensors")):
        return Found(path, Source.HUGGING_FACE)
    source = None if path.is_dir() else _of_file(path)
    if source is not None:
        return Found(path, source)
    if inner := next((each.parent for depth in ("*", "*/*", "*/*/*") for each in path.glob(f"{depth}/{MLFLOW}")), None):
        raise ImportFault(f"{path} has a model of MLflow in a folder below it; name that one: {inner}")
    if foreign := way_out(path):
        then = "; then give the ONNX file to viridian import" if "export it to ONNX" in foreign else ""
        raise ImportFault(f"{path} is {foreign}{then}")
    raise ImportFault(
        f"{path} is nothing that can be imported; name a model of scikit-learn (.joblib, .pkl, .skops), XGBoost "
        "(.json, .ubj), LightGBM (.txt), CatBoost (.cbm), PyTorch (.pt2, .pt), Keras (.keras, .h5) or ONNX (.onnx), or "
        "a folder of MLflow, Hugging Face, TensorFlow (SavedModel) or Triton"
    )


def _of_file(file: Path) -> Source | None:
    try:
        with file.open("rb") as opened:
            beginning = opened.read(_BEGINNING).lstrip()
    except OSError as error:
        raise ImportFault(f"{file} cannot be read ({error.strerror}); make it readable for you") from None
    if not beginning:
        raise ImportFault(f"{file} is empty; copy it again, or save the model again")
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes[-1:] and suffixes[-1] in _COMPRESSED and _SUFFIXES.get("".join(suffixes[-2:-1])) is Source.PICKLE:
        return Source.PICKLE
    if (source := _SUFFIXES.get(file.suffix.lower())) is not None:
        return source
    if beginning.startswith(b"{") and b'"learner"' in beginning:
        return Source.XGBOOST
    return next((source for first, source in _FIRST_BYTES if beginning.startswith(first)), None)
