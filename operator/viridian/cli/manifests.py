"""ModelDeployments in files of YAML."""

import sys
from pathlib import Path
from typing import Any

import yaml

from viridian.api.errors import ViridianError
from viridian.api.names import KIND


class CannotRead(ViridianError):
    """A file is no manifest of a model; the message says why."""


def models_in(file: str) -> list[dict[str, Any]]:
    """Return the ModelDeployments of a file, or with `-` of standard input; other objects are left out.

    Raises:
        CannotRead: there is none, or it is no YAML.
    """
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
        documents = list(yaml.safe_load_all(text))
    except OSError as error:
        raise CannotRead(f"{file} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CannotRead(f"{file} is no YAML: {error}") from error
    models = [document for document in documents if isinstance(document, dict) and document.get("kind") == KIND]
    if not models:
        raise CannotRead(f"{file} has no {KIND}: write apiVersion, kind: {KIND}, metadata and spec")
    return models
