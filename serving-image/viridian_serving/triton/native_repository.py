"""Formats sklearn, xgboost and lightgbm: a repository whose model runs in the library that trained it."""

from pathlib import Path
from typing import Final

import msgspec

from viridian_serving.artifacts.locate import CONFIG_FILE, ModelError
from viridian_serving.triton.config_file import copy_backend, native_config
from viridian_serving.triton.examination import load_apart
from viridian_serving.triton.native_model import FILE, runs_code
from viridian_serving.triton.onnx_model import OnnxModel, OnnxTensor

_INPUT_TYPES: Final = {
    "number": "TYPE_FP64",
    "integer": "TYPE_INT64",
    "string": "TYPE_STRING",
    "boolean": "TYPE_BOOL",
}
_OPEN: Final = -1


class _Feature(msgspec.Struct):
    name: str
    type: str


class _Output(msgspec.Struct):
    name: str
    type: str
    size: int
    method: str


class _Described(msgspec.Struct):
    file: str
    layout: str
    features: list[_Feature]
    outputs: list[_Output]
    empty: list[str]
    versions: dict[str, str]


def write_native_repository(
    home: Path, form: str, name: str, repository: Path, *, trusted: bool, allow_code: bool
) -> None:
    """Make a repository of one model.

    Args:
        home: The model's folder.
        form: Its format.
        name: The model's name at Triton.
        repository: Where to make it; it does not exist.
        trusted: Whether the model's user trusts its author.
        allow_code: Whether models may bring their own code at all.

    Raises:
        ModelError: It cannot be served.
    """
    described = _read(home / FILE)
    if runs_code(described.file, form):
        _refuse_code(described.file, trusted=trusted, allow_code=allow_code)
    load_apart(home, form)
    folder = repository / name
    (folder / "1").mkdir(parents=True)
    copy_backend(folder / "1", "backend_native", "native_model")
    (folder / CONFIG_FILE).write_text(native_config(name, _model(described), home, form))


def _read(file: Path) -> _Described:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Described)
    except (OSError, msgspec.DecodeError) as error:
        raise ModelError(
            f"{file} cannot be used ({error}); write the folder with viridian import --native, and leave it as it is"
        ) from None


def _refuse_code(file: str, *, trusted: bool, allow_code: bool) -> None:
    if not allow_code:
        raise ModelError(
            f"{file} is loaded by running the code in it, and this installation allows models none (the chart's "
            "serving.allowModelCode): import it to ONNX, or ask whoever runs Viridian"
        )
    if not trusted:
        raise ModelError(
            f"{file} is loaded by running the code in it; set model.trusted to true (on your own machine: --trusted) "
            "if you trust its author, or import it to ONNX"
        )


def _model(described: _Described) -> OnnxModel:
    return OnnxModel(
        tuple(OnnxTensor(each.name, _INPUT_TYPES[each.type], (_OPEN,)) for each in described.features),
        tuple(
            OnnxTensor(
                each.name,
                "TYPE_STRING" if each.type == "BYTES" else f"TYPE_{each.type}",
                (_OPEN,) if each.size == 1 else (_OPEN, each.size),
            )
            for each in described.outputs
        ),
    )
