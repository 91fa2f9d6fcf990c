"""What the API server or the operator would refuse in a manifest, and what is allowed but risky. Needs no cluster."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from pydantic import ValidationError

from viridian.api.generators.structural import Schema, structural_schema
from viridian.api.names import API_VERSION, KIND
from viridian.api.spec import ModelDeploymentSpec
from viridian.guards.spec import guard_config
from viridian_shared.durations import PATTERN as DURATION
from viridian_shared.durations import parse_duration

from .risks import risks

_LONGEST_NAME: Final = 57
_NAME: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_MATCHES: Final = re.compile(r"self\.matches\(r'([^']*)'\)")
_BETWEEN: Final = re.compile(
    re.escape(f"self.matches(r'{DURATION.pattern}')")
    + r" && duration\(self\) >= duration\('(\w+)'\) && duration\(self\) <= duration\('(\w+)'\)"
)
"""Rules of the schema that can be told here: one regular expression, and the bounds of a duration.

Others of the kind CEL need the API server.
"""


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
    try:
        ModelDeploymentSpec.model_validate(spec)
    except ValidationError as error:
        for one in error.errors():
            yield _error(_path(one["loc"]), _words(one["type"], one["msg"]))
        return
    yield from _rules(structural_schema(ModelDeploymentSpec), spec, "spec")


def _words(kind: str, message: str) -> str:
    """The models' own sentences, and plainer ones for what pydantic says itself."""
    if kind == "extra_forbidden":
        return "does not exist: check its spelling and where it is indented; `kubectl explain mdep.spec` lists all"
    if kind == "missing":
        return "is missing: it has no default"
    return message.removeprefix("Value error, ")


def _rules(schema: Schema, value: object, path: str) -> Iterator[Finding]:
    """What breaks those rules of the schema that can be told here."""
    for rule in schema.get("x-kubernetes-validations", []):
        if isinstance(value, str) and not _keeps(value, rule["rule"]):
            yield _error(path, f"is {value!r}: {rule['message']}")
    if isinstance(value, dict):
        named, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        for key, part in value.items():
            yield from _rules(named.get(key, others), part, f"{path}.{key}")
    if isinstance(value, list):
        for index, part in enumerate(value):
            yield from _rules(schema.get("items", {}), part, f"{path}[{index}]")


def _keeps(value: str, rule: str) -> bool:
    """Whether a text keeps a rule, as far as this can be told here."""
    if matches := _MATCHES.fullmatch(rule):
        return re.search(matches[1], value) is not None
    if between := _BETWEEN.fullmatch(rule):
        shortest, longest = map(parse_duration, between.groups())
        return shortest <= parse_duration(value) <= longest
    return True


def _path(location: tuple[int | str, ...]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "spec" + "".join(parts)


def _error(field: str, message: str) -> Finding:
    return Finding(Level.ERROR, field, message)
