"""The schema's rules as the API server evaluates them, without one: defaults first, then CEL and the keys of lists."""

import functools
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

import celpy
from celpy.adapter import json_to_cel
from celpy.celtypes import BoolType, DurationType, IntType, StringType
from celpy.evaluation import CELEvalError

from viridian.api.generators.structural import Schema
from viridian.api.quantities import parse_quantity

Path = tuple[str | int, ...]
"""Names of fields and indices of lists, from the spec's root."""
_RESERVED: Final = {"namespace": "__namespace__"}
"""CEL's own words, which Kubernetes escapes where they are names of fields."""


def _sum(items: list[Any]) -> Any:  # noqa: ANN401 - as CEL adds numbers and durations
    return sum(items[1:], items[0]) if items else DurationType("0s")


def _compare(one: StringType, other: StringType) -> IntType:
    first, second = parse_quantity(one), parse_quantity(other)
    return IntType((first > second) - (first < second))


_FUNCTIONS: Final[Mapping[str, Any]] = {
    "replace": lambda text, old, new: StringType(text.replace(old, new)),
    "lowerAscii": lambda text: StringType(text.lower()),
    "isSorted": lambda items: BoolType(all(one <= other for one, other in pairwise(items))),
    "sum": _sum,
    "quantity": lambda text: text,
    "compareTo": _compare,
}
"""What Kubernetes adds to CEL, as far as the rules use it. A quantity stays text until it is compared."""


def with_defaults(schema: Schema, value: Any) -> Any:  # noqa: ANN401 - anything that YAML can hold
    """Return a value with the schema's defaults where it leaves fields out, at any depth."""
    if isinstance(value, dict):
        named = schema.get("properties", {})
        missing = {name: part["default"] for name, part in named.items() if "default" in part and name not in value}
        return {name: with_defaults(_part(schema, name), part) for name, part in {**missing, **value}.items()}
    if isinstance(value, list):
        return [with_defaults(_part(schema, index), part) for index, part in enumerate(value)]
    return value


def broken_rules(
    schema: Schema,
    value: Any,  # noqa: ANN401 - anything that YAML can hold
    misshapen: Collection[Path],
    path: Path = (),
) -> Iterator[tuple[Path, str]]:
    """Yield the field and the message of each rule that a value breaks.

    Args:
        schema: structural, with the rules.
        value: with its defaults.
        misshapen: fields that are missing or of another type. Rules about them, or about what they are part of, say
            nothing and are left out.
        path: where the value is.
    """
    if not any(one[: len(path)] == path for one in misshapen):
        for rule in schema.get("x-kubernetes-validations", []):
            if not _keeps(rule["rule"], value):
                yield (*path, *rule.get("fieldPath", "").split(".")[1:]), rule["message"]
        yield from _repeated(schema, value, path)
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from broken_rules(_part(schema, key), part, misshapen, (*path, key))


def _part(schema: Schema, key: str | int) -> Schema:
    """The schema of a field, of an entry of a map, or of an item; of what is unknown, one without rules."""
    if isinstance(key, int):
        found: Schema = schema.get("items", {})
    else:
        found = schema.get("properties", {}).get(key) or schema.get("additionalProperties") or {}
    return found


def _keeps(rule: str, value: object) -> bool:
    """Whether a value keeps a rule. One that fails counts as broken, as on the API server."""
    try:
        return bool(_program(rule).evaluate({"self": json_to_cel(_escaped(value))}))
    except CELEvalError:
        return False


@functools.cache
def _program(rule: str) -> celpy.Runner:
    environment = celpy.Environment()
    return environment.program(environment.compile(rule), functions=dict(_FUNCTIONS))


def _escaped(value: Any) -> Any:  # noqa: ANN401 - anything that YAML can hold
    if isinstance(value, dict):
        return {_RESERVED.get(name, name): _escaped(part) for name, part in value.items()}
    return [_escaped(part) for part in value] if isinstance(value, list) else value


def _repeated(schema: Schema, items: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Items of a list by key whose key an earlier one has."""
    keys = schema.get("x-kubernetes-list-map-keys")
    if not keys or not isinstance(items, list):
        return
    seen = []
    for index, item in enumerate(items):
        key = [item.get(name) for name in keys]
        if key in seen:
            yield (*path, index), f"has the same {' and '.join(keys)} as an item before it: keep one of them"
        seen.append(key)
