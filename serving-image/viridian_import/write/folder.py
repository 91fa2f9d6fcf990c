"""Puts a version's files in place, all of them or none."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from viridian_import.faults import ImportFault


def claim(folder: Path) -> None:
    """Make sure that a folder is not there yet, and can be made.

    Args:
        folder: Of a version.

    Raises:
        ImportFault: It is, or cannot.
    """
    if folder.exists():
        raise ImportFault(
            f"{folder} is there already, and a version never changes once it was made; give another --version or "
            "--out, or remove the folder"
        )
    there = next(parent for parent in folder.absolute().parents if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ImportFault(f"{there} is no folder that you may write into; give another --out")


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Give a folder to write into, which becomes the version's when nothing goes wrong.

    Args:
        folder: Of the version; see claim().

    Yields:
        A folder beside it.

    Raises:
        ImportFault: The disk is full, or the folder cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise ImportFault(f"{folder.parent} cannot be written ({error.strerror}); give another --out") from None
    try:
        yield staging
        staging.chmod(0o755)  # pods run as another user
        os.replace(staging, folder)
    except OSError as error:
        raise ImportFault(
            f"{folder} cannot be written ({error.strerror}); free space, or give another --out"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def write_json(file: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON value for people and programs."""
    file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
