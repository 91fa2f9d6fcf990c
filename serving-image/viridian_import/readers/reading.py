"""Chooses the reader."""

from collections.abc import Callable
from importlib import import_module
from typing import Final

from viridian_import.faults import ImportFault
from viridian_import.messages import Load, Source
from viridian_import.readers.libraries import LIBRARIES
from viridian_import.readers.model import Original
from viridian_import.readers.versions import versions_of
from viridian_serving.artifacts.library_words import words_of

_READERS: Final = {
    Source.PICKLE: "pickled",
    Source.SKOPS: "skops_file",
    Source.XGBOOST: "xgboost_file",
    Source.LIGHTGBM: "lightgbm_file",
    Source.CATBOOST: "catboost_file",
    Source.TORCH: "torch_file",
    Source.KERAS: "keras_file",
    Source.HUGGING_FACE: "hugging_face",
    Source.ONNX: "onnx_file",
}
"""Modules of this package. Each has a function read()."""
_PACKAGES: Final = {"sklearn": "scikit-learn", "xgboost": "xgboost-cpu"}
"""What to install, where it is not called like the module."""


def read(request: Load) -> Original:
    """Load a model.

    Args:
        request: Its file, and what the file is.

    Returns:
        The model.

    Raises:
        ImportFault: It cannot be loaded.
    """
    path = request.path
    try:
        load: Callable[[Load], Original] = import_module(f"viridian_import.readers.{_READERS[request.source]}").read
        return load(request)
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        raise ImportFault(_missing(path, module)) from None
    except ImportFault:
        raise
    except AttributeError as error:
        raise ImportFault(_not_found(path, str(error))) from None
    except Exception as error:  # what a damaged file makes a library raise may be anything
        raise ImportFault(_damaged(request, error)) from error


def _missing(path: str, module: str) -> str:
    return (
        f"{path} needs the module {module!r}, which is not installed here; pip install "
        f"{_PACKAGES.get(module, module)}, or, if it is one of your own, name the folder that it is in: --code FOLDER"
    )


def _damaged(request: Load, error: Exception) -> str:
    library = LIBRARIES[request.source]
    version = versions_of([library.package]).get(library.package, "")
    return (
        f"{request.path} cannot be loaded by {f'{library.name} {version}'.strip()} ({type(error).__name__}: "
        f"{words_of(error)}); it is {library.damaged}"
    )


def _not_found(path: str, words: str) -> str:
    if "__main__" in words:
        return (
            f"{path} uses a function or class that was defined in the script or notebook that made it ({words}); put "
            "it into a module, train from there, and name its folder: --code FOLDER"
        )
    return (
        f"{path} needs something that the packages here do not have ({words}); install the versions that made the model"
    )
