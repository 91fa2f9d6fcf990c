"""From pydantic to structural schemas: what is said in another way, and what cannot be said."""

from enum import StrEnum
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from viridian.api.generators.structural import SchemaError, structural_schema, without_defaults


class Shade(StrEnum):
    """A shade."""

    LIGHT = "Light"
    DARK = "Dark"


class Inner(BaseModel):
    """An inner object."""

    model_config = ConfigDict(extra="forbid")
    shade: Shade = Shade.DARK


def test_references_are_inlined_and_parents_carry_their_defaults() -> None:
    # given a model inside a model
    class Outer(BaseModel):
        inner: Annotated[Inner, Field(description="Said of the field.")] = Inner()

    # when its schema is made
    schema = structural_schema(Outer)

    # then it stands in place, with what is said of the field rather than of the class
    assert schema == {
        "type": "object",
        "properties": {
            "inner": {
                "description": "Said of the field.",
                "type": "object",
                "default": {"shade": "Dark"},
                "properties": {
                    "shade": {
                        "description": "A shade.",
                        "type": "string",
                        "enum": ["Light", "Dark"],
                        "default": "Dark",
                    }
                },
            }
        },
    }


def test_an_optional_field_is_one_that_may_be_left_out() -> None:
    # given fields that may be None
    class Optional(BaseModel):
        name: Annotated[str | None, Field(max_length=5, description="A name.")] = None
        inner: Inner | None = None

    # when the schema is made
    properties = structural_schema(Optional)["properties"]

    # then neither null nor a default is left of it
    assert properties["name"] == {"description": "A name.", "type": "string", "maxLength": 5}
    assert properties["inner"]["type"] == "object"
    assert "default" not in properties["inner"]


def test_a_constant_is_an_enum_of_one() -> None:
    class Constant(BaseModel):
        kind: Annotated[Literal["Canary"], Field(description="A kind.")]

    assert structural_schema(Constant)["properties"]["kind"]["enum"] == ["Canary"]


def test_exclusive_bounds_are_written_as_in_openapi() -> None:
    class Exclusive(BaseModel):
        share: Annotated[int, Field(gt=0, lt=10, description="A share.")]

    share = structural_schema(Exclusive)["properties"]["share"]
    assert (share["minimum"], share["exclusiveMinimum"]) == (0, True)
    assert (share["maximum"], share["exclusiveMaximum"]) == (10, True)


def test_the_names_of_a_map_are_bounded_by_a_rule() -> None:
    # given a map with bounded names
    class Mapping(BaseModel):
        labels: Annotated[
            dict[Annotated[str, Field(max_length=63)], Annotated[str, Field(max_length=10)]],
            Field(max_length=8, description="Labels."),
        ] = Field(default_factory=dict)

    # when its schema is made
    labels = structural_schema(Mapping)["properties"]["labels"]

    # then a CEL rule bounds them, and the factory's default is there
    assert [rule["rule"] for rule in labels["x-kubernetes-validations"]] == ["self.all(name, name.size() <= 63)"]
    assert labels["default"] == {}
    assert labels["maxProperties"] == 8


def test_a_field_without_description_is_refused() -> None:
    class Silent(BaseModel):
        name: Annotated[str, Field(max_length=5)]

    with pytest.raises(SchemaError, match=r"Silent\.name has no description"):
        structural_schema(Silent)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (str, "Unbounded.field has no bound: it needs maxLength"),
        (list[Shade], "Unbounded.field has no bound: it needs maxItems"),
        (dict[str, int], "Unbounded.field has no bound: it needs maxProperties"),
    ],
)
def test_a_field_without_bound_is_refused(kind: type, sentence: str) -> None:
    class Unbounded(BaseModel):
        field: Annotated[kind, Field(description="A field.")]

    with pytest.raises(SchemaError) as refused:
        structural_schema(Unbounded)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "keyword"), [(int | str, "anyOf"), (tuple[int, bool], "prefixItems")], ids=["union", "tuple"]
)
def test_what_a_structural_schema_cannot_say_is_refused(kind: type, keyword: str) -> None:
    class Strange(BaseModel):
        field: Annotated[kind, Field(description="A field.")]

    with pytest.raises(SchemaError, match=keyword):
        structural_schema(Strange)


def test_defaults_can_be_left_out_at_any_depth() -> None:
    class Outer(BaseModel):
        inners: Annotated[list[Inner], Field(max_length=3, description="Some.")] = Field(default_factory=list)

    bare = without_defaults(structural_schema(Outer))
    assert "default" not in str(bare)
