"""Folders of MLflow: their file MLmodel says which flavours the model has, and which file each is in."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from viridian_import.faults import ImportFault

FILE: Final = "MLmodel"
_KEYS: Final = {"sklearn": "pickled_model", "xgboost": "data", "lightgbm": "data", "onnx": "data", "catboost": "data"}
"""What names the file, by flavour."""


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
    for flavor, key in _KEYS.items():
        named = _entry(flavors, flavor).get(key)
        if isinstance(named, str):
            code = _entry(flavors, "python_function").get("code")
            return MlflowModel(_within(folder, named), _within(folder, code) if isinstance(code, str) else None)
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
