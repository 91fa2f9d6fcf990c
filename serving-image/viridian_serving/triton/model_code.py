"""Which models bring their own code, for operators that allow none (``VIRIDIAN_ALLOW_MODEL_CODE=false``).

A graph of operators is data: whoever reads it decides what it may do. What is refused here runs what its author wrote.
"""

from pathlib import Path
from typing import Final

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.contract.binding import PREPROCESS_FILE
from viridian_serving.triton.pbtxt import Message, messages, scalar

_DATA: Final = frozenset({"onnxruntime", "openvino", "tensorrt"})
"""Backends of Triton whose models are graphs. TorchScript and TensorFlow's have operators that read and write files."""
_OPERATORS: Final = "model_operations"
"""In the configuration: libraries with further operators."""


def refuse_beside(home: Path) -> None:
    """Refuse what lies beside a model and is run.

    Args:
        home: The model's folder.

    Raises:
        ModelError: There is something.
    """
    if (home / PREPROCESS_FILE).exists():
        raise _refused(f"its {PREPROCESS_FILE} is code", "declare the features in schema.yaml alone")
    _refuse_libraries(home)


def refuse_code(model: Path, version: int, backend: str, config: Message) -> None:
    """Refuse a model of a repository that is run as its author wrote it.

    Args:
        model: Its folder.
        version: The one that is served.
        backend: What runs it.
        config: Its configuration.

    Raises:
        ModelError: It does.
    """
    if backend not in _DATA:
        raise _refused(f"Triton's backend {backend} runs a model's own code", "export it to ONNX")
    if messages(config, _OPERATORS) or scalar(config, "runtime"):
        raise _refused("its configuration names libraries", f"remove {_OPERATORS} and runtime from it")
    _refuse_libraries(model / str(version))


def _refuse_libraries(folder: Path) -> None:
    """Triton looks for a backend beside the model before it takes its own."""
    library = next((path for path in sorted(folder.iterdir()) if ".so" in path.suffixes), None)
    if library is not None:
        raise _refused(f"{library} is a library", "remove it")


def _refused(what: str, way_out: str) -> ModelError:
    return ModelError(
        f"{what}, and this installation allows models none (the chart's serving.allowModelCode): {way_out}, or ask"
        " whoever runs Viridian"
    )
