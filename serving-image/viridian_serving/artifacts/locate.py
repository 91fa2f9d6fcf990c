"""Where the model's files are in this container: ``VIRIDIAN_MODEL_URI``."""

import os
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path, PurePosixPath
from typing import TypeVar
from urllib.parse import urlsplit

from viridian_serving.artifacts.foreign_models import way_out
from viridian_serving.settings.config import Format, Settings
from viridian_shared.model_format import NATIVE

MODEL_FILE = "model.onnx"
NATIVE_FILE = "native.json"
"""Lies next to a model that runs in its own library; `viridian import --native` writes it."""
MLFLOW_FILE = "MLmodel"
CONFIG_FILE = "config.pbtxt"
FETCHED = "model"
"""Below the mount: what was fetched. It is there when all of it is, and has been checked."""
MODELS = "models"
"""In an image that is a model, the folder with its files, as in KServe's modelcars."""

T = TypeVar("T")

_VERSION = re.compile(r"[1-9][0-9]*")
_NO_MODELS = ("__MACOSX", "lost+found")
"""Folders that tools leave behind."""


class ModelError(Exception):
    """The model cannot be served. The message is one sentence: what is wrong, and the way out."""


class MissingError(ModelError):
    """There is nothing at the address: who looked could see that."""


class CredentialsError(ModelError):
    """The store refuses the credentials, or there are none that can be used."""


class NoRoomError(ModelError):
    """The disk, or the volume's quota, has no room for the model."""


def locate(settings: Settings) -> Path:
    """Find the model's files.

    Args:
        settings: The uri, and where the places begin that it may name.

    Returns:
        A file or directory; it exists.

    Raises:
        ModelError: The URI cannot be used, or nothing is there.
    """
    uri = settings.model_uri
    parts = urlsplit(uri)
    if settings.model_mounted:
        return _in_image(settings.model_mount)
    if settings.is_fetched:
        return _existing(settings.model_mount / FETCHED, f"model.uri {uri!r} has not been fetched; run viridian-fetch")
    path = PurePosixPath(parts.path)
    if parts.scheme not in ("image", "pvc"):
        raise ModelError(
            f"model.uri {uri!r} is not served; write image:///PATH, pvc://CLAIM/PATH, https://HOST/PATH, or an address "
            "of a store: s3://, gs://, az://, hf://, mlflow:// or oci://"
        )
    if not path.is_absolute() or ".." in path.parts or parts.query or parts.fragment:
        raise ModelError(f"model.uri {uri!r} has no absolute path; write {parts.scheme}://…/models/NAME/VERSION")
    if parts.scheme == "pvc":
        return _in_claim(parts.netloc, path, settings.model_mount)
    if parts.netloc:
        raise ModelError(f"model.uri {uri!r} has no absolute path; write three slashes: image:///models/NAME/VERSION")
    return _existing(
        settings.image_root / path.relative_to("/"),
        f"model.uri {uri!r} names {path}, which this image does not contain; "
        "build the image with it or correct the uri",
    )


def _in_claim(claim: str, path: PurePosixPath, mount: Path) -> Path:
    found = _existing(
        mount / path.relative_to("/"),
        f"model.uri names {path}, which claim {claim} does not hold (in its root: {listed(mount)}); "
        "copy the model there or correct the uri",
    )
    if _leads_out(found, mount):
        raise ModelError(f"model.uri names {path}, a link that leads out of claim {claim}; name a folder in the claim")
    return found


def _in_image(mount: Path) -> Path:
    # An API server that knows no image volumes leaves out the volume and its mounts, without a word.
    if not mount.is_dir():
        raise ModelError(
            "model.mount: no image is mounted, as in a cluster without image volumes (they need Kubernetes 1.35, or "
            "1.33 with the feature gate ImageVolume); remove it, and the image is fetched"
        )
    found = _existing(
        mount / MODELS,
        f"model.uri: the image has no /{MODELS} (in its root: {listed(mount)}); put the model's files there",
    )
    if _leads_out(found, mount):
        raise ModelError(f"model.uri: /{MODELS} is a link that leads out of the image; put the model's files there")
    return found


def _leads_out(path: Path, mount: Path) -> bool:
    return not path.resolve().is_relative_to(mount.resolve())


def _readable(look: Callable[[Path], T]) -> Callable[[Path], T]:
    """Turn what the file system refuses into a sentence."""

    @wraps(look)
    def looking(path: Path) -> T:
        try:
            return look(path)
        except PermissionError as error:
            raise _unreadable(error.filename) from None

    return looking


def _unreadable(path: Path | str) -> ModelError:
    return ModelError(
        f"{path} may not be read by user {os.getuid()}; make the files readable for everybody (chmod -R a+rX)"
    )


def _existing(path: Path, otherwise: str) -> Path:
    try:
        path.stat()
    except PermissionError:
        raise _unreadable(path) from None
    except OSError:
        raise MissingError(otherwise) from None
    return path


def model_home(settings: Settings) -> Path:
    """Find the folder that holds the model, and may hold more beside it.

    Args:
        settings: The uri and the format.

    Returns:
        The folder with ``model.onnx``, ``native.json`` or ``MLmodel``, or that of Triton's model.

    Raises:
        ModelError: It is not there.
    """
    path = locate(settings)
    if settings.model_format in NATIVE:
        return native_model(path)
    if settings.model_format == "mlflow":
        return mlflow_model(path)
    return triton_model(path) if settings.model_format == "triton" else model_file(path).parent


@_readable
def model_file(path: Path) -> Path:
    """Find the ONNX file.

    Args:
        path: That file, its folder, or a folder with nothing but that one, as archives often have.

    Returns:
        The file; it exists.

    Raises:
        ModelError: It is missing or empty.
    """
    if path.is_file():
        file = path
    else:
        folder = _onnx_folder(path)
        if folder is None:
            if not list(path.glob("*.onnx")) and (foreign := way_out(path)):
                raise ModelError(f"{path} holds no {MODEL_FILE}, but {foreign}")
            raise ModelError(
                f"{path} holds no {MODEL_FILE} (found: {listed(path)}); name the model's file {MODEL_FILE}"
            )
        file = folder / MODEL_FILE
    if not os.access(file, os.R_OK):
        raise _unreadable(file)
    if file.stat().st_size == 0:
        raise ModelError(f"{file} is empty; export the model again")
    return file


@_readable
def triton_model(path: Path) -> Path:
    """Find the one model of a model repository.

    Args:
        path: The repository, the model's own folder in it, or a folder with nothing but one of these.

    Returns:
        The model's folder: it has a config.pbtxt or folders of versions.

    Raises:
        ModelError: There is none, or more than one.
    """
    repository = _repository(path)
    if repository is None:
        raise ModelError(
            f"{path} is no model repository of Triton (found: {listed(path)}); it must hold one folder with "
            f"{CONFIG_FILE} and a version folder such as 1, or be that folder"
        )
    if _is_model(repository):
        return repository
    found = [folder for folder in _folders(repository) if _is_model(folder)]
    if len(found) > 1:
        names = ", ".join(folder.name for folder in found[:5])
        raise ModelError(f"{path} holds {len(found)} models ({names}); leave one, or name its folder: a pod serves one")
    return found[0]


@_readable
def native_model(path: Path) -> Path:
    """Find the folder of a model that runs in its own library.

    Args:
        path: That folder, or one with nothing but it, as archives often have.

    Returns:
        The folder; it has a native.json.

    Raises:
        ModelError: There is none.
    """
    folder = _inmost(path, lambda folder: (folder / NATIVE_FILE).is_file())
    if folder is None:
        raise ModelError(
            f"{path} holds no {NATIVE_FILE} (found: {listed(path)}); make the folder with viridian import --native"
        )
    return folder


@_readable
def mlflow_model(path: Path) -> Path:
    """Find the folder of a model of MLflow.

    Args:
        path: That folder, or one with nothing but it, as archives often have.

    Returns:
        The folder; it has a file MLmodel.

    Raises:
        ModelError: There is none.
    """
    folder = _inmost(path, lambda folder: (folder / MLFLOW_FILE).is_file())
    if folder is None:
        raise ModelError(
            f"{path} holds no {MLFLOW_FILE} (found: {listed(path)}); name the folder that MLflow has written"
        )
    return folder


def versions(model: Path) -> list[int]:
    """The versions that a folder of a Triton model holds, in order."""
    return sorted(int(folder.name) for folder in _folders(model) if _VERSION.fullmatch(folder.name))


@_readable
def format_of(path: Path) -> Format | None:
    """Return the format of a model.

    Args:
        path: A file or folder; it exists.

    Returns:
        The format, or None when there is no model.
    """
    if path.is_file() or (path / MODEL_FILE).is_file():
        return "onnx"
    # Before anything deeper down: the version folders of a repository may hold a model.onnx as well.
    if _repository(path) is not None:
        return "triton"
    return "onnx" if _onnx_folder(path) is not None else None


def _onnx_folder(path: Path) -> Path | None:
    return _inmost(path, lambda folder: (folder / MODEL_FILE).is_file())


def _repository(path: Path) -> Path | None:
    return _inmost(path, lambda folder: _is_model(folder) or any(map(_is_model, _folders(folder))))


def _is_model(folder: Path) -> bool:
    return (folder / CONFIG_FILE).is_file() or bool(versions(folder))


def _inmost(path: Path, holds: Callable[[Path], bool]) -> Path | None:
    """The folder itself, or the only one in it, if that is what is looked for."""
    if not path.is_dir():
        return None
    inner = _folders(path)
    return next((folder for folder in (path, *(inner if len(inner) == 1 else ())) if holds(folder)), None)


def _folders(path: Path) -> list[Path]:
    return sorted(
        entry
        for entry in path.iterdir()
        if entry.is_dir() and not entry.name.startswith(".") and entry.name not in _NO_MODELS
    )


def listed(path: Path) -> str:
    """Say what a folder holds, for a sentence."""
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except NotADirectoryError:
        return "a file"
    except OSError as error:
        return f"it cannot be listed: {error.strerror}"
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "") or "nothing"
