"""Makes a folder of what was fetched from a registry of images: the layers that are archives are unpacked.

Of an image only what is below ``/models`` counts, as in KServe's modelcars: the rest is a system without a use here.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from viridian_serving.artifacts.archive import DAMAGED, Budget, inside, odd, open_tar, unpack_within, write
from viridian_serving.artifacts.locate import MODELS, ModelError
from viridian_serving.artifacts.retries import Deadline

FOLDER: Final = ".layers"
"""Where the layers are that have to be unpacked, and the manifest."""
MANIFEST: Final = f"{FOLDER}/manifest.json"
_TITLES: Final = ("org.cncf.model.filepath", "org.opencontainers.image.title")
_UNPACK: Final = "io.deis.oras.content.unpack"
_OF_IMAGES: Final = ("application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs.")
_OF_MODELS: Final = "application/vnd.cncf.model."
_REMOVED: Final = ".wh."
_EMPTIED: Final = ".wh..wh..opq"
"""How a layer of an image removes a file of those below it, and all that a folder has."""

Descriptor = Mapping[str, Any]
"""What a manifest says of a layer."""


def title_of(layer: Descriptor) -> str:
    """Return the path of the file that a layer is; empty if it is an archive that has paths itself."""
    annotations = _annotations(layer)
    return "" if _is_folder(layer) else next((annotations[name] for name in _TITLES if annotations.get(name)), "")


def is_of_image(layer: Descriptor) -> bool:
    """Return whether a layer is one of an image, which is a file system."""
    return not title_of(layer) and not _is_folder(layer) and str(layer.get("mediaType")).startswith(_OF_IMAGES)


def _is_folder(layer: Descriptor) -> bool:
    """Return whether a layer is a folder that was packed to be pushed."""
    kind = str(layer.get("mediaType"))
    return _annotations(layer).get(_UNPACK) == "true" or (kind.startswith(_OF_MODELS) and ".tar" in kind)


def _annotations(layer: Descriptor) -> dict[str, str]:
    return {str(name): str(value) for name, value in (layer.get("annotations") or {}).items()}


def path_of(at: int, layer: Descriptor) -> str:
    """Return where a layer lies until it is unpacked, or for good.

    Args:
        at: Its place in the manifest.
        layer: What it is.
    """
    return title_of(layer) or f"{FOLDER}/{at}"


def lay_out(fetched: Path, target: Path, max_size: int, deadline: Deadline) -> None:
    """Make the model's folder.

    Args:
        fetched: The layers and the manifest; nothing of it is left.
        target: It does not exist.
        max_size: Bytes that the files may take from the disk.
        deadline: When to give up.

    Raises:
        ModelError: A layer is damaged, or holds what no model needs; the message names the field of the spec.
        OSError: The files cannot be stored.
    """
    layers = json.loads((fetched / MANIFEST).read_bytes())["layers"]
    budget = Budget(max_size, deadline)
    target.mkdir()
    for archive, layer in ((fetched / path_of(at, layer), layer) for at, layer in enumerate(layers)):
        if is_of_image(layer):
            _apply(archive, target, budget)
        elif not title_of(layer):
            unpack_within(archive, target, budget)
    shutil.rmtree(fetched / FOLDER)
    for file in fetched.iterdir():
        file.rename(target / file.name)
    fetched.rmdir()
    if not any(target.iterdir()):
        raise ModelError(f"spec.model.uri: the image has nothing in /{MODELS}; put the model's files there")


def _apply(archive: Path, target: Path, budget: Budget) -> None:
    """Put the files that a layer of an image has in /models over those of the layers below it."""
    try:
        with open_tar(archive) as opened:
            for info in opened:
                path = _below_models(info.name)
                if path is None:
                    budget.spend(0)
                    continue
                budget.begin()
                place = target / path
                if path.name == _EMPTIED:
                    _remove(place.parent)
                elif path.name.startswith(_REMOVED):
                    _remove(place.with_name(path.name.removeprefix(_REMOVED)))
                elif info.isdir():
                    place.mkdir(parents=True, exist_ok=True)
                elif (content := opened.extractfile(info) if info.isreg() else None) is not None:
                    _remove(place)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    write(content, place, budget)
                else:
                    raise odd(info.name, "a link" if info.issym() or info.islnk() else "no plain file")
    except DAMAGED as error:
        raise ModelError(f"spec.model.uri: a layer is damaged ({error}); push the image again") from error


def _below_models(name: str) -> PurePosixPath | None:
    """Return the path of an entry in /models; None if it is elsewhere."""
    parts = PurePosixPath(name.lstrip("/")).parts
    return inside("/".join(parts[1:])) if len(parts) > 1 and parts[0] == MODELS else None


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
