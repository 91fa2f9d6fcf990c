"""``schema.yaml`` beside the model, as its author wrote it; ``binding.py`` holds it against the model."""

from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from viridian_serving.codec.tensors import Batch, Kind, SchemaError

FILE: Final = "schema.yaml"
_MOST_BYTES: Final = 1024 * 1024
_MOST_FAULTS: Final = 5
"""Faults that one sentence names: a pod's status holds a few kilobytes."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


_Bound = Annotated[int, Field(ge=-(2**64), le=2**64)]
"""No element has more; one of hundreds of digits is not even a float."""


class FeatureEntry(_Entry):
    """One feature."""

    name: str = Field(min_length=1)
    type: Kind | None = Field(None, strict=False)
    tensor: str | None = None
    shape: tuple[int, ...] | None = Field(None, strict=False)
    min: _Bound | float | None = None
    max: _Bound | float | None = None
    categories: tuple[str | int, ...] = Field((), strict=False)
    max_length: int | None = Field(None, ge=1)
    nullable: bool = False
    sensitive: bool = False
    unit: str = ""
    description: str = ""
    example: Any = None


class OutputsEntry(_Entry):
    """What the outputs are."""

    prediction: str | None = None
    probabilities: str | None = None
    confidence: str | None = None
    classes: tuple[str | int, ...] = Field((), strict=False)


class AnswerEntry(_Entry):
    """What is answered of them."""

    top_k: int | None = Field(None, ge=1)
    round: int | None = Field(None, ge=0, le=15)
    withhold: tuple[str, ...] = Field((), strict=False)
    max_age: int = Field(0, ge=0, le=86400)


class SchemaFile(_Entry):
    """The whole file."""

    description: str = ""
    features: tuple[FeatureEntry, ...] | None = Field(None, strict=False, min_length=1)
    outputs: OutputsEntry | None = None
    answer: AnswerEntry = Field(default_factory=lambda: AnswerEntry.model_validate({}))
    raw: bool | None = None
    batch: Batch | None = Field(None, strict=False)


class _Loader(yaml.SafeLoader):
    """Refuses what would silently say less than was written."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not supported; write it out", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise yaml.constructor.ConstructorError(None, None, f"key {twice!r} is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


def read_schema_file(directory: Path) -> SchemaFile | None:
    """Read the file beside the model.

    Args:
        directory: The model's.

    Returns:
        What it says, or None when there is none.

    Raises:
        SchemaError: It cannot be read, or says what no schema says.
    """
    file = directory / FILE
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SchemaError(f"{FILE} cannot be read ({error.strerror}); make it a file that everybody may read") from None
    return parse(text)


def parse(text: bytes) -> SchemaFile:
    """Read the file's text.

    Args:
        text: YAML.

    Returns:
        What it says.

    Raises:
        SchemaError: See read_schema_file().
    """
    if len(text) > _MOST_BYTES:
        raise SchemaError(f"{FILE} has {len(text)} bytes, more than the limit of {_MOST_BYTES}; shorten its categories")
    try:
        document = yaml.load(text, _Loader)  # noqa: S506  a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise SchemaError(f"{FILE} is not YAML that can be used: {_where(error)}; correct it") from None
    if not isinstance(document, dict):
        raise SchemaError(f"{FILE} must hold a mapping with features, outputs or answer, and holds something else")
    try:
        return SchemaFile.model_validate(document)
    except ValidationError as error:
        problems = [dict(problem) for problem in error.errors()]
        raise SchemaError(sentence([_fault(problem, document) for problem in problems])) from None


def sentence(faults: list[str]) -> str:
    """Join what is wrong with the file into the end of one sentence.

    Args:
        faults: Each begins with the place in the file.
    """
    # A value that may be of several types is complained about once for each of them.
    distinct = list(dict.fromkeys(faults))
    more = f"; and {len(distinct) - _MOST_FAULTS} more" if len(distinct) > _MOST_FAULTS else ""
    return f"its {FILE} cannot be used: {'; '.join(distinct[:_MOST_FAULTS])}{more}"


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1}, column {mark.column + 1}: {what}" if mark is not None else str(what)


_MODELS: Final[dict[str, type[_Entry]]] = {"features": FeatureEntry, "outputs": OutputsEntry, "answer": AnswerEntry}


def _fault(problem: dict[str, Any], document: dict[str, Any]) -> str:
    # The last parts of a location may name a branch of a type and no place in the file.
    location = [part for part in problem["loc"] if part not in ("str", "int", "float", "constrained-int")]
    where = _place(location, document)
    if problem["type"] == "extra_forbidden":
        model = _MODELS.get(str(location[0]), SchemaFile) if len(location) > 1 else SchemaFile
        return f"{where} is no key of it; the keys are {', '.join(model.model_fields)}"
    if problem["type"] == "missing":
        return f"{where} is missing; write it"
    if isinstance(problem["input"], bool) and problem["type"] in ("string_type", "int_type"):
        return f"{where} is {str(problem['input']).lower()}, as YAML reads yes, no, on and off; write it in quotes"
    return f"{where}: {problem['msg'][0].lower()}{problem['msg'][1:]}, not {_shown(problem['input'])}"


def _place(location: list[Any], document: dict[str, Any]) -> str:
    """Say where it is, as ``features[1].min (of 'age')``."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    if location[:1] == ["features"] and len(location) > 2:
        entry = document["features"][location[1]]
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            return f"{path} (of {entry['name']!r})"
    return path


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
