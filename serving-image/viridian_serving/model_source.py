"""Where the model comes from: ``VIRIDIAN_MODEL_URI``."""

from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

MODEL_FILE = "model.onnx"


class ModelError(Exception):
    """The model cannot be served. The message is one sentence: what is wrong, and the way out."""


def model_directory(uri: str, image_root: Path) -> Path:
    """Find the model's directory.

    Args:
        uri: ``image:///models/NAME/VERSION``, a directory in the serving image.
        image_root: Where ``image://`` begins.

    Returns:
        The directory; it exists.

    Raises:
        ModelError: The URI cannot be used, or nothing is there.
    """
    parts = urlsplit(uri)
    path = PurePosixPath(parts.path)
    if parts.scheme != "image":
        raise ModelError(
            f"model.uri {uri!r} is not served yet; write image:///models/NAME/VERSION, a baked-in directory"
        )
    if parts.netloc or not path.is_absolute() or ".." in path.parts or parts.query or parts.fragment:
        raise ModelError(f"model.uri {uri!r} has no absolute path; write three slashes: image:///models/NAME/VERSION")
    directory = image_root / path.relative_to("/")
    if not directory.is_dir():
        raise ModelError(
            f"model.uri {uri!r} names directory {path}, which this image does not contain; "
            "build the image with it or correct the uri"
        )
    return directory


def model_file(directory: Path) -> Path:
    """Find the ONNX file in the model's directory.

    Args:
        directory: The model's directory.

    Returns:
        The file; it exists.

    Raises:
        ModelError: It is missing or empty.
    """
    file = directory / MODEL_FILE
    if not file.is_file():
        found = ", ".join(sorted(entry.name for entry in directory.iterdir())[:5]) or "nothing"
        raise ModelError(f"{directory} holds no {MODEL_FILE} (found: {found}); name the model's file {MODEL_FILE}")
    if file.stat().st_size == 0:
        raise ModelError(f"{file} is empty; export the model again and rebuild the image")
    return file
