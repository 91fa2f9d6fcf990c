"""Folders of MLflow: their file MLmodel says which flavours the model has, and which file each is in."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from viridian_import.faults import ImportFault

FILE: Final = "MLmodel"
_KEYS: Final = {
    "sklearn": ("pickled_model",),
    **dict.fromkeys(("xgboost", "lightgbm", "onnx", "catboost", "keras"), ("data",)),
    "tensorflow": ("data", "saved_model_dir"),
}
"""What names the file, by flavour; the first that is there."""
_IN_DATA: Final = ("model.keras", "model.h5", "model")
"""What models of Keras are called in the folder that their flavour names; the last is a SavedModel."""


@dataclass(frozen=True)
class MlflowModel:
    """The model in such a folder."""

    file: Path
    code: Path | None
    """A folder with modules that were logged with it."""


def read_mlflow(folder: Path) -> MlflowModel:
    """Read such a folder.

    Args:
        folder: Has a file MLmodel.

    Returns:
        The model's file.

    Raises:
        ImportFault: MLmodel cannot be read, or has no flavour that can be imported.
    """
    try:
        document = yaml.safe_load((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ImportFault(
            f"{folder / FILE} cannot be read ({' '.join(str(error).split())}); log the model again"
        ) from None
    flavors = document.get("flavors") if isinstance(document, Mapping) else None
    if not isinstance(flavors, Mapping):
        raise ImportFault(f"{folder / FILE} names no flavors; log the model again with the flavour of its library")
    for flavor, keys in _KEYS.items():
        named = next((text for key in keys if isinstance(text := _entry(flavors, flavor).get(key), str)), None)
        if named is not None:
            code = _entry(flavors, "python_function").get("code")
            file = _within(folder, named)
            file = next((file / name for name in _IN_DATA if (file / name).exists()), file)
            return MlflowModel(file, _within(folder, code) if isinstance(code, str) else None)
    raise ImportFault(
        f"{folder} is a model of MLflow with the flavours {', '.join(map(str, flavors))}, and none of "
        f"{', '.join(_KEYS)}, which can be imported; export it to ONNX with its own library, and import that file"
    )


def _entry(flavors: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    entry = flavors.get(name)
    return entry if isinstance(entry, Mapping) else {}


def _within(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ImportFault(f"{folder / FILE} names {name!r}, which is outside of its folder; log the model again")
    if not path.exists():
        raise ImportFault(f"{folder / FILE} names {name!r}, which is not there; fetch all of the model's folder")
    return path
