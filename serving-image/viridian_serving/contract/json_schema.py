"""Instances and answers as JSON Schema (2020-12)."""

import math
import sys
from typing import Any, Final

from viridian_serving.codec.answers import AnswerSchema
from viridian_serving.codec.features import Feature, RequestSchema
from viridian_serving.codec.tensors import DYNAMIC, DataType, Kind, Tensor

Schema = dict[str, Any]

_FLOATS: Final = {
    DataType.FP16: math.nextafter(2.0**16 - 2.0**4, 0),
    DataType.FP32: math.nextafter(2.0**128 - 2.0**103, 0),
    DataType.FP64: sys.float_info.max,
}
"""The greatest number of JSON that is rounded to one of the type and not to infinity."""

_MOST_SHOWN: Final = 1000
"""Elements of an example that is repeated. That of an image would make every document megabytes long."""


def range_of(datatype: DataType) -> tuple[float, float] | None:
    """Give the least and the greatest number of a type; None when it holds no numbers."""
    if datatype in _FLOATS:
        return -_FLOATS[datatype], _FLOATS[datatype]
    if datatype.kind is not Kind.INTEGER:
        return None
    bits = 8 * datatype.size
    if datatype.name.startswith("U"):
        return 0, (1 << bits) - 1
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def element_schema(feature: Feature) -> Schema:
    """Describe one element of a feature's value."""
    schema: Schema = {"type": str(feature.kind)}
    if feature.categories:
        schema["enum"] = list(feature.categories)
    elif feature.kind in (Kind.NUMBER, Kind.INTEGER):
        least, greatest = range_of(feature.datatype) or (None, None)
        schema["minimum"] = least if feature.minimum is None else feature.minimum
        schema["maximum"] = greatest if feature.maximum is None else feature.maximum
    if feature.max_length is not None:
        schema["maxLength"] = feature.max_length
    if feature.nullable:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"].append(None)
    return schema


def feature_schema(feature: Feature, *, annotated: bool = True) -> Schema:
    """Describe the value of a feature.

    Args:
        feature: Which.
        annotated: Whether to say what it means, too.
    """
    schema = element = element_schema(feature)
    if feature.single and not feature.strict:
        schema = {"anyOf": [element, {"type": "array", "items": element, "minItems": 1, "maxItems": 1}]}
    elif not feature.single:
        schema = _nested(element, feature.dims)
        if feature.boxed:
            schema = {"anyOf": [schema, {"type": "array", "items": schema, "minItems": 1, "maxItems": 1}]}
    if annotated:
        parts = (feature.description, f"In {feature.unit}." if feature.unit else "")
        if text := " ".join(part for part in parts if part):
            schema = {**schema, "description": text}
        if (example := brief_sample(feature)) is not None:
            schema = {**schema, "examples": [example]}
    return schema


def instance_schema(requests: RequestSchema) -> Schema:
    """Describe an instance."""
    return {
        "type": "object",
        "properties": {feature.name: feature_schema(feature) for feature in requests.features},
        "required": [feature.name for feature in requests.features],
        "additionalProperties": False,
    }


def brief_sample(feature: Feature) -> Any:  # noqa: ANN401  a JSON value
    """Give a value that a feature takes; None when it is too long to be shown wherever the feature is."""
    sample = feature.sample()
    elements, level = 1, sample
    while isinstance(level, list):
        elements *= len(level)
        level = level[0] if level else None
    return sample if elements <= _MOST_SHOWN else None


def sample_of(requests: RequestSchema) -> dict[str, Any]:
    """Give an instance that is valid."""
    return {feature.name: feature.sample() for feature in requests.features}


def prediction_schema(answers: AnswerSchema) -> Schema:
    """Describe what is answered for one instance."""
    members: dict[str, Schema] = {"prediction": _prediction(answers)}
    if answers.confidence is not None or answers.probabilities is not None:
        members["confidence"] = {"type": "number", "description": "Of the prediction."}
    if answers.probabilities is not None:
        members["probabilities"] = _probabilities(answers)
    if answers.prediction is not None or answers.probabilities is not None:
        others = _by_name(answers)
        if others["properties"]:
            members["outputs"] = others
    members = {name: schema for name, schema in members.items() if name not in answers.withhold}
    return {"type": "object", "properties": members, "required": list(members)}


def _prediction(answers: AnswerSchema) -> Schema:
    if answers.classes:
        # A label that is text is answered as the model gives it.
        text = answers.prediction is not None and answers.output(answers.prediction).datatype.kind is Kind.STRING
        return {"type": "string"} if text else {"type": "string", "enum": list(answers.classes)}
    if answers.prediction is not None:
        return _output(answers.output(answers.prediction))
    if answers.probabilities is not None:
        return {"type": "integer", "minimum": 0, "description": "The most probable class."}
    return _by_name(answers)


def _probabilities(answers: AnswerSchema) -> Schema:
    number: Schema = {"type": "number"}
    if not answers.classes:
        return {"type": "array", "items": number}
    schema: Schema = {
        "type": "object",
        "properties": dict.fromkeys(answers.classes, number),
        "additionalProperties": False,
    }
    if answers.top_k is None:
        return {**schema, "required": list(answers.classes)}
    return {**schema, "maxProperties": answers.top_k, "description": f"The {answers.top_k} most probable classes."}


def _by_name(answers: AnswerSchema) -> Schema:
    named = {tensor.name: _output(tensor) for tensor in answers.others if tensor.name not in answers.withhold}
    return {"type": "object", "properties": named, "required": list(named)}


def _output(tensor: Tensor) -> Schema:
    element: Schema = {"type": str(tensor.datatype.kind)}
    if tensor.elements == 1:  # one of anything is answered bare, at the innermost level
        return element if len(tensor.dims) <= 1 else {}
    return (
        {"anyOf": [element, _nested(element, tensor.dims)]}
        if tensor.dims == (DYNAMIC,)
        else _nested(element, tensor.dims)
    )


def _nested(element: Schema, dims: tuple[int, ...]) -> Schema:
    schema = element
    for size in reversed(dims):
        bounds = {"minItems": 1} if size == DYNAMIC else {"minItems": size, "maxItems": size}
        schema = {"type": "array", "items": schema, **bounds}
    return schema
