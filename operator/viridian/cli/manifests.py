"""ModelDeployments in files of YAML."""

import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic_core import from_json, to_json

from viridian.api.errors import ViridianError
from viridian.api.names import KIND


class CannotRead(ViridianError):
    """A file is no manifest of a model; the message says why."""


def models_in(file: str) -> list[dict[str, Any]]:
    """Return the ModelDeployments of a file, or with `-` of standard input; other objects are left out.

    Raises:
        CannotRead: there is none, or it is not YAML.
    """
    name = "standard input" if file == "-" else file
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
        # As JSON, which kubectl makes of it: dates are text there, and all names are.
        documents = [from_json(to_json(document)) for document in yaml.safe_load_all(text)]
    except OSError as error:
        raise CannotRead(f"{name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CannotRead(f"{name} is not YAML: it is not text in UTF-8") from error
    except yaml.YAMLError as error:
        raise CannotRead(f"{name} is not YAML: {_why(error)}") from error
    except ValueError as error:
        raise CannotRead(f"{name} has something that JSON has not, as the API server reads it: {error}") from error
    models = [document for document in documents if isinstance(document, dict) and document.get("kind") == KIND]
    if not models:
        raise CannotRead(f"{name} has no {KIND}: write apiVersion, kind: {KIND}, metadata and spec")
    return models


def _why(error: yaml.YAMLError) -> str:
    """What is wrong and where, in one line; the parser's own words also show an excerpt and its name for the text."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return " ".join(f"{error}".split())
    mark = error.problem_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
