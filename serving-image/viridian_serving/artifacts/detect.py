"""A model on somebody's disk: of which format it is, and what to call it, by its path."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from viridian_serving.artifacts.foreign_models import way_out
from viridian_serving.artifacts.locate import (
    CONFIG_FILE,
    MLFLOW_FILE,
    MODEL_FILE,
    NATIVE_FILE,
    ModelError,
    format_of,
    listed,
    mlflow_model,
    model_file,
    native_model,
    triton_model,
)
from viridian_serving.settings.config import Format
from viridian_shared.model_format import NATIVE

NAME: Final = re.compile(r"[a-z]([-a-z0-9]{0,55}[a-z0-9])?")
"""A name that a ModelDeployment may have as well."""
UNVERSIONED: Final = "dev"
_VERSION: Final = re.compile(r"v?[0-9]+(\.[0-9]+){0,2}([-+][0-9A-Za-z.+-]+)?")


@dataclass(frozen=True)
class LocalModel:
    """A model that was found."""

    path: Path
    """Absolute; a file or folder."""
    format: Format
    name: str
    version: str


def find(path: Path, chosen: Format | None = None) -> LocalModel:
    """Look at what is there.

    Args:
        path: A file or folder; it exists.
        chosen: Its format; None finds it out.

    Returns:
        The model, with a name and a version made of its path.

    Raises:
        ModelError: There is no model.
    """
    path = Path(os.path.abspath(path))
    kind = chosen or _format(path)
    return LocalModel(path, kind, *_identity(_home(path, kind)))


def _home(path: Path, kind: Format) -> Path:
    if kind in NATIVE:
        return native_model(path)
    if kind == "mlflow":
        return mlflow_model(path)
    return triton_model(path) if kind == "triton" else model_file(path)


def _format(path: Path) -> Format:
    if path.is_file() and path.suffix.lower() != ".onnx" and (foreign := way_out(path)):
        raise ModelError(f"{path} is {foreign}")
    found = format_of(path)
    if found is not None:
        return found
    if (path / NATIVE_FILE).is_file():
        return _native_format(path / NATIVE_FILE)
    if (path / MLFLOW_FILE).is_file():
        return "mlflow"
    if not list(path.glob("*.onnx")) and (foreign := way_out(path)):
        raise ModelError(f"{path} holds {foreign}")
    single = next(iter(sorted(path.glob("*.onnx"))), None)
    way = f"run viridian-serve {single}" if single else "name the file or folder of the model"
    raise ModelError(
        f"{path} holds no model (found: {listed(path)}). Looked for: {MODEL_FILE}; or a model repository of Triton, a "
        f"folder with {CONFIG_FILE} or a version folder such as 1; {way}"
    )


def _native_format(file: Path) -> Format:
    try:
        form = json.loads(file.read_bytes())["format"]
    except (OSError, ValueError, KeyError, TypeError):
        form = None
    if form not in NATIVE:
        raise ModelError(f"{file} names no format; write the folder with viridian import --native")
    return cast("Format", form)


def _identity(model: Path) -> tuple[str, str]:
    """Make a name and a version of where the ONNX file, or the folder of Triton's model, is."""
    words = [model.stem if model.suffix == ".onnx" else model.name, model.parent.name, model.parent.parent.name]
    if model.name == MODEL_FILE:
        words.pop(0)
    version = UNVERSIONED
    if _VERSION.fullmatch(words[0]):
        version = words.pop(0)
    return _label(words[0]), version


def _label(text: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    label = words if words[:1].isalpha() else f"model-{words}"
    return label[:57].strip("-")
