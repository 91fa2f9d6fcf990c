"""From pydantic's JSON schema to what Kubernetes calls a structural schema.

Kubernetes takes a part of OpenAPI 3.0: no references, no `null` type, no `const`. What cannot be said in it is an error
here rather than a rule that is silently lost.
"""

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, NoDefault
from pydantic_core import core_schema, to_jsonable_python

Schema = dict[str, Any]

# What a structural schema may hold, in the order in which it reads best.
KEYWORDS = (
    "description",
    "type",
    "format",
    "x-kubernetes-int-or-string",
    "nullable",
    "enum",
    "default",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "exclusiveMinimum",
    "maximum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
    "required",
    "properties",
    "items",
    "additionalProperties",
)
_BOUND_OF_TYPE = {"string": ("maxLength", "enum", "format"), "array": ("maxItems",)}


class SchemaError(Exception):
    """The models say something that a structural schema cannot hold, or leave out something that it needs."""


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, in the dialect of Kubernetes wherever only the generator knows enough."""

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:  # noqa: ANN401 - as in pydantic
        """A default that a factory makes is as much a default as a plain one; None stands for an absent field."""
        factory: Callable[[], Any] | None = schema.get("default_factory")  # type: ignore[assignment]
        default = schema.get("default", NoDefault) if factory is None else factory()
        return NoDefault if default is None else default

    def encode_default(self, dft: Any) -> Any:  # noqa: ANN401 - as in pydantic
        """A default as it stands in a manifest, where an absent field is absent and never null."""
        return to_jsonable_python(dft, by_alias=True, exclude_none=True)

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """In a manifest an optional field is left out, never null."""
        return self.generate_inner(schema["schema"])

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        """OpenAPI 3.0 knows no `const`: one value is an enum of one."""
        found = super().literal_schema(schema)
        if "const" in found:
            found["enum"] = [found.pop("const")]
        return found


def structural_schema(model: type[BaseModel]) -> Schema:
    """The structural schema of a model, with every reference inlined.

    Raises:
        SchemaError: the model uses something that a structural schema cannot say, or has a field without a
            description or without a bound. Kubernetes weighs the cost of CEL rules by these bounds.
    """
    raw = model.model_json_schema(schema_generator=_Generator)
    schema = _convert(raw, raw.get("$defs", {}), model.__name__)
    if faults := [*_faults(schema, model.__name__)]:
        raise SchemaError("\n".join(faults))
    return schema


def without_defaults(schema: Schema) -> Schema:
    """The same schema without defaults, at any depth: for what is observed, not asked for."""
    bare = {keyword: value for keyword, value in schema.items() if keyword != "default"}
    for keyword in ("items", "additionalProperties"):
        if keyword in bare:
            bare[keyword] = without_defaults(bare[keyword])
    if "properties" in bare:
        bare["properties"] = {name: without_defaults(field) for name, field in bare["properties"].items()}
    return bare


def _convert(node: Schema, definitions: Schema, path: str) -> Schema:
    """One schema in the dialect of Kubernetes, its keywords in reading order."""
    node = _inline(node, definitions, path)
    node.pop("title", None)
    node.pop("$defs", None)
    _boolean_bounds(node)
    if node.get("x-kubernetes-int-or-string"):
        # Two types at once are said by the extension alone; a bound on the text may stand beside it.
        node.pop("anyOf", None)
    if "properties" in node:
        # Beside `properties` the API server prunes, or refuses, what is unknown; saying so here is forbidden.
        if node.pop("additionalProperties", False) is not False:
            raise SchemaError(f"{path}: an object has either named fields or free ones, not both")
        node["properties"] = {
            name: _convert(field, definitions, f"{path}.{name}") for name, field in node["properties"].items()
        }
    elif "additionalProperties" in node:
        node["additionalProperties"] = _convert(node["additionalProperties"], definitions, f"{path}[*]")
        _bound_names(node, path)
    if "items" in node:
        node["items"] = _convert(node["items"], definitions, f"{path}[]")
    if unknown := sorted(set(node) - set(KEYWORDS)):
        raise SchemaError(f"{path}: a structural schema cannot say {', '.join(unknown)}")
    return {keyword: node[keyword] for keyword in KEYWORDS if keyword in node}


def _inline(node: Schema, definitions: Schema, path: str) -> Schema:
    """Put what a reference names in its place; what stands beside the reference wins."""
    node = dict(node)
    depth = 0
    while reference := node.pop("$ref", None):
        depth += 1
        if path.count(".") + depth > 32:
            raise SchemaError(f"{path}: a model that holds itself cannot be inlined")
        node = {**definitions[reference.removeprefix("#/$defs/")], **node}
    return node


def _boolean_bounds(node: Schema) -> None:
    """OpenAPI 3.0 marks a bound as exclusive beside it, where JSON Schema gives the bound in its own keyword."""
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if exclusive in node and not isinstance(node[exclusive], bool):
            node[bound] = node[exclusive]
            node[exclusive] = True


def _bound_names(node: Schema, path: str) -> None:
    """A map's names have no schema of their own in Kubernetes: their length becomes a CEL rule."""
    names = node.pop("propertyNames", {})
    if unknown := sorted(set(names) - {"maxLength", "type"}):
        raise SchemaError(f"{path}: a structural schema cannot say {', '.join(unknown)} of a map's names")
    if longest := names.get("maxLength"):
        rule = {
            "rule": f"self.all(name, name.size() <= {longest})",
            "message": f"a name may have at most {longest} characters",
        }
        node["x-kubernetes-validations"] = [*node.get("x-kubernetes-validations", []), rule]


def _faults(node: Schema, path: str) -> Iterator[str]:
    """What a reader or the API server would miss, one sentence each."""
    bounds = _BOUND_OF_TYPE.get(node.get("type", ""), ())
    if node.get("x-kubernetes-int-or-string"):
        bounds = ("maxLength",)
    elif "additionalProperties" in node:
        bounds = ("maxProperties",)
    if bounds and not any(bound in node for bound in bounds):
        yield f"{path} has no bound: it needs {' or '.join(bounds)}"
    for name, field in node.get("properties", {}).items():
        if not field.get("description"):
            yield f"{path}.{name} has no description"
        yield from _faults(field, f"{path}.{name}")
    for keyword, suffix in (("items", "[]"), ("additionalProperties", "[*]")):
        if keyword in node:
            yield from _faults(node[keyword], path + suffix)
