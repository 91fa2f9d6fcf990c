"""What the API server or the operator would refuse in a manifest, and what is allowed but risky. Needs no cluster."""

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache
from typing import Any, Final, Self

from pydantic import ValidationError
from pydantic_core import ErrorDetails, to_json

from viridian.api.generators.structural import Schema, structural_schema
from viridian.api.names import API_VERSION, KIND
from viridian.api.spec import ModelDeploymentSpec
from viridian.guards.spec import guard_config

from .admission import Path, broken_rules, with_defaults
from .risks import risks

_LONGEST_NAME: Final = 57
_NAME: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_OWN_RULE: Final = "value_error"
"""Pydantic's type of what the models' own validators refuse; the schema has these rules too, in full sentences."""
_NUMBER: Final = ("int",)
_TEXT: Final = ("str",)
"""What pydantic adds to the path of a field that may be a number or text."""
_WORDS: Final = {
    "extra_forbidden": "does not exist: check its spelling and where it is indented; `kubectl explain mdep.spec` lists"
    " all",
    "missing": "is missing: it has no default",
    "greater_than_equal": "is {input!r}: write at least {ge}",
    "less_than_equal": "is {input!r}: write at most {le}",
    "too_short": "has too few items, {actual_length}: write at least {min_length}",
    "too_long": "has too many items, {actual_length}: write at most {max_length}",
    "string_too_short": "is empty: write at least {min_length} character",
    "string_too_long": "is too long: write at most {max_length} characters",
    "enum": "is {input!r}: write one of {expected}",
    "literal_error": "is {input!r}: write one of {expected}",
    "string_type": "is {input!r}, which YAML does not read as text: put it in quotes",
    "int_type": "is {input!r}: write a whole number, without quotes",
    "bool_type": "is {input!r}: write true or false, without quotes",
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "is {input!r}: write a map of fields"),
    "list_type": "is {input!r}: write a list",
}
"""By pydantic's types of errors, what a user reads; {input} and the others are pydantic's."""


class Level(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or risky; `field` is its path in the manifest."""

    level: Level
    field: str
    message: str


def lint(manifest: Mapping[str, Any], rpm: float | None, scrape_interval: timedelta) -> list[Finding]:
    """Return what is wrong with a ModelDeployment, or without errors what is risky.

    Args:
        manifest: as it is in the file.
        rpm: requests a minute of all users; None leaves out what depends on it.
        scrape_interval: how often Prometheus reads the pods.
    """
    errors = [*_head(manifest), *_spec(manifest.get("spec"))]
    if errors:
        return errors
    spec = ModelDeploymentSpec.model_validate(manifest["spec"])
    try:
        guard_config(spec)
    except ValueError as error:  # a number that the guards cannot work with, as the API server would say too
        return [_error("spec.guards", f"{error}")]
    return [Finding(Level.WARNING, field, message) for field, message in risks(spec, rpm, scrape_interval)]


def _head(manifest: Mapping[str, Any]) -> Iterator[Finding]:
    for key, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if manifest.get(key) != wanted:
            yield _error(key, f"is {manifest.get(key)!r}: write {wanted}")
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        yield _error("metadata.name", "is missing: give the model a name")
    elif len(name) > _LONGEST_NAME or not _NAME.fullmatch(name) or name.endswith(("-blue", "-green")):
        yield _error(
            "metadata.name",
            f"is {name!r}: write at most {_LONGEST_NAME} lower-case letters, digits and dashes, beginning with a letter"
            " and not ending in -blue or -green",
        )


def _spec(spec: object) -> Iterator[Finding]:
    if not isinstance(spec, dict):
        yield _error("spec", "is missing: write at least spec.model with version and uri")
        return
    serving = spec.get("serving")
    if isinstance(serving, dict) and "drill" in serving:
        yield _error(
            "spec.serving.drill",
            "makes a model fail on purpose, and only the operator sets it, on the twin of a drill: remove it, and write"
            " spec.drill",
        )
    schema = _schema()
    faults = [_Fault.of(spec, error) for error in _faults(spec)]
    for fault in faults:
        if fault.kind != _OWN_RULE:
            yield _error(_path(fault.path), fault.message)
    misshapen = [fault.path for fault in faults if fault.kind not in (_OWN_RULE, "extra_forbidden")]
    broken = list(broken_rules(schema, with_defaults(schema, spec), misshapen))
    for path, message in broken:
        yield _error(_path(path), _with_value(spec, path, message))
    for fault in faults:  # a rule that the models alone have
        if fault.kind == _OWN_RULE and not any(path[: len(fault.path)] == fault.path for path, _ in broken):
            yield _error(_path(fault.path), fault.message)


@cache
def _schema() -> Schema:
    """The spec's; made once, since that takes as long as to look at a manifest."""
    return structural_schema(ModelDeploymentSpec)


@dataclass(frozen=True)
class _Fault:
    """What the models say against a field."""

    kind: str
    path: Path
    message: str

    @classmethod
    def of(cls, spec: dict[str, Any], error: ErrorDetails) -> Self:
        message = _said_of_text(spec, error) if error["type"] == "string_type" else None
        return cls(error["type"], _without_type(error["loc"]), message or _message(error))


def _faults(spec: dict[str, Any]) -> list[ErrorDetails]:
    """What the models say. As strict as the API server is: a number in quotes is text."""
    try:
        ModelDeploymentSpec.model_validate_json(to_json(spec), strict=True)
    except ValidationError as error:
        # Of a field that may be text or a number there is an error for each; text is the more general one.
        return [one for one in error.errors() if one["loc"][-1:] != _NUMBER]
    return []


def _said_of_text(spec: dict[str, Any], error: ErrorDetails) -> str | None:
    """What the models say of a number once it is in quotes; None if that is all it lacks."""
    number, (*parents, last) = error["input"], _without_type(error["loc"])
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    changed = copy.deepcopy(spec)
    parent: Any = changed
    for key in parents:
        parent = parent[key]
    parent[last] = str(number)
    for one in _faults(changed):
        if _without_type(one["loc"]) == (*parents, last):
            return _message(one).replace(repr(str(number)), repr(number), 1)
    return None


def _without_type(path: Path) -> Path:
    return path[:-1] if path[-1:] == _TEXT else path


def _message(error: ErrorDetails) -> str:
    words = _WORDS.get(error["type"])
    if words is not None:
        return words.format(**error.get("ctx", {}), input=error["input"])
    return error["msg"].removeprefix("Value error, ")


def _with_value(spec: Any, path: Path, message: str) -> str:  # noqa: ANN401 - anything that YAML can hold
    """A rule's message, after the text or number that breaks it, where the field is one."""
    value = spec
    for key in path:
        # A rule may name a field that has its default, and whose parents have theirs.
        value = value[key] if isinstance(key, int) else value.get(key) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return message
    return f"{value!r} {message}" if message.startswith("is ") else f"is {value!r}: {message}"


def _path(location: Path) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "spec" + "".join(parts)


def _error(field: str, message: str) -> Finding:
    return Finding(Level.ERROR, field, message)
