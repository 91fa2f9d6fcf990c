"""``/openapi.json``: this pod's API, in OpenAPI 3.1."""

from collections.abc import Mapping
from typing import Any, Final

from viridian_serving.codec.fast_instances import bare_depth
from viridian_serving.contract.contract import Contract
from viridian_serving.contract.json_schema import (
    brief_sample,
    element_schema,
    feature_schema,
    instance_schema,
    prediction_schema,
    sample_of,
)

_PROBLEM: Final = {
    "type": "object",
    "description": "What went wrong, why, and what to do (RFC 9457).",
    "properties": {
        "type": {"type": "string", "description": "urn:viridian:problem:…, stable for programs."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "error": {"type": "string", "description": "The detail, for clients of the inference protocol."},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "Every value that cannot be used.",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string", "description": "Where it is in the body (RFC 6901)."},
                    "detail": {"type": "string"},
                },
                "required": ["pointer", "detail"],
            },
        },
        "more_errors": {"type": "integer", "description": "How many more there are than errors lists."},
    },
    "required": ["type", "title", "status", "detail"],
}
_PROBLEMS: Final = {
    "400": "The body is not JSON, or values of it cannot be used; errors names each.",
    "401": "There is no valid API key in the request.",
    "408": "The request did not arrive in time.",
    "413": "More instances or bytes than allowed.",
    "431": "The URL and the headers are too large.",
    "500": "The model failed on this input.",
    "502": "The model's answer cannot be used.",
    "503": "The model is starting, away, or is overloaded; send it again after Retry-After.",
    "504": "The model did not answer in time.",
}
_EXAMPLE_ERRORS: Final = {
    "type": "urn:viridian:problem:invalid-input",
    "title": "Bad Request",
    "status": 400,
    "detail": "1 value(s) of the body cannot be used; 'errors' names each.",
    "request_id": "0af7651916cd43dd8448eb211c80319c",
}


_SCHEMES: Final = {
    "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
"""Either carries the client's API key."""


def openapi(
    contract: Contract, identity: Mapping[str, str], max_instances: int, *, keyed: bool = False
) -> dict[str, Any]:
    """Write the document.

    Args:
        contract: What is taken and given.
        identity: model, version and revision.
        max_instances: Most instances in a request.
        keyed: Whether clients need an API key.

    Returns:
        JSON.
    """
    predict: dict[str, Any] = {"post": _post(contract)}
    if not any(feature.sensitive for feature in contract.requests.features):
        predict["get"] = _get(contract)
    document = _document(contract, identity, max_instances, predict)
    if keyed:
        document["components"]["securitySchemes"] = _SCHEMES
        for operation in predict.values():
            operation["security"] = [{name: []} for name in _SCHEMES]
            operation["responses"] |= _problems("401")
    return document


def _document(
    contract: Contract, identity: Mapping[str, str], max_instances: int, predict: dict[str, Any]
) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "info": {
            "title": identity["model"],
            "version": identity["version"],
            "description": _description(contract, identity),
        },
        # Relative to this document: behind a gateway the model has its own path.
        "servers": [{"url": "."}],
        "paths": {"/predict": predict, **_readable()},
        "components": {
            "schemas": {
                "Instance": instance_schema(contract.requests),
                "Instances": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/Instance"},
                    "minItems": 1,
                    "maxItems": max_instances,
                },
                "Prediction": prediction_schema(contract.answers),
                "Answer": _carrying(identity, {"$ref": "#/components/schemas/Prediction"}),
                "Answers": _carrying(identity, _list_of_predictions()),
                "Problem": _PROBLEM,
            },
            "responses": {f"Problem{status}": _problem(status, contract) for status in _PROBLEMS},
            "headers": {
                "Revision": {"description": "The revision that answered.", "schema": {"type": "string"}},
                "Version": {"description": "Its model's version.", "schema": {"type": "string"}},
                "RequestId": {"description": "By which the request is found again.", "schema": {"type": "string"}},
            },
        },
    }


_TIMEOUT: Final = {
    "name": "Viridian-Timeout-Ms",
    "in": "header",
    "description": "Milliseconds for which you wait; without it, as long as the model may take.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
}


def _description(contract: Contract, identity: Mapping[str, str]) -> str:
    protocol = f"The Open Inference Protocol is at v2/models/{identity['model']}/infer." if contract.raw else ""
    return "\n\n".join(part for part in (contract.description, protocol) if part)


def _post(contract: Contract) -> dict[str, Any]:
    examples = {}
    if all(brief_sample(feature) is not None for feature in contract.requests.features):
        sample = sample_of(contract.requests)
        examples = {"examples": {"one": {"value": sample}, "many": {"value": [sample, sample]}}}
    bodies: list[dict[str, Any]] = [
        {"$ref": "#/components/schemas/Instance"},
        {"$ref": "#/components/schemas/Instances"},
    ]
    features = contract.requests.features
    if len(features) == 1:
        bodies += _bare(contract)
    return {
        "operationId": "predict",
        "summary": "Predict for an instance, or for a list of instances",
        "parameters": [_TIMEOUT],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"anyOf": bodies},
                    **examples,
                }
            },
        },
        "responses": {
            "200": _answered(
                {"anyOf": [{"$ref": "#/components/schemas/Answer"}, {"$ref": "#/components/schemas/Answers"}]}
            ),
            **_problems("400", "408", "413", "431", "500", "502", "503", "504"),
        },
    }


def _bare(contract: Contract) -> list[dict[str, Any]]:
    """The value of an only feature may come without its name."""
    (feature,) = contract.requests.features
    value = feature_schema(feature, annotated=False)
    if bare_depth(feature) and feature.single:
        value = value["anyOf"][1]  # a bare number is an instance where it may not be a list
    return [value, {"type": "array", "items": value, "minItems": 1}]


def _get(contract: Contract) -> dict[str, Any]:
    parameters = []
    for feature in contract.requests.features:
        parameter: dict[str, Any] = {"name": feature.name, "in": "query", "required": True}
        if feature.description:
            parameter["description"] = feature.description
        if feature.single:
            element = element_schema(feature)
            element["type"] = str(feature.kind)
            if "enum" in element:
                element["enum"] = [value for value in element["enum"] if value is not None]
            parameter |= {"schema": element, "example": feature.sample()}
        else:
            schema = feature_schema(feature, annotated=False)
            content = {"schema": schema}
            if (example := brief_sample(feature)) is not None:
                content["example"] = example
            parameter["content"] = {"application/json": content}
        parameters.append(parameter)
    condition = {
        "name": "If-None-Match",
        "in": "header",
        "description": "The ETag of an earlier answer to the same input; the model is not asked again while it holds.",
        "schema": {"type": "string"},
    }
    answer = _answered({"$ref": "#/components/schemas/Answer"})
    answer["headers"]["ETag"] = {
        "description": "Of this revision and these values.",
        "schema": {"type": "string"},
    }
    return {
        "operationId": "predictOne",
        "summary": "Predict for an instance in the URL",
        "description": "Values are written as in JSON, strings without quotes.",
        "parameters": [*parameters, condition, _TIMEOUT],
        "responses": {
            "200": answer,
            "304": {"description": "The answer with this ETag is still the answer."},
            **_problems("400", "408", "431", "500", "502", "503", "504"),
        },
    }


def _answered(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": "The prediction.",
        "headers": {
            "Viridian-Revision": {"$ref": "#/components/headers/Revision"},
            "Viridian-Version": {"$ref": "#/components/headers/Version"},
            "X-Request-Id": {"$ref": "#/components/headers/RequestId"},
        },
        "content": {"application/json": {"schema": schema}},
    }


def _carrying(identity: Mapping[str, str], what: dict[str, Any]) -> dict[str, Any]:
    common = {name: {"type": "string", "examples": [value]} for name, value in identity.items()}
    common["request_id"] = {"type": "string"}
    return {"allOf": [what, {"type": "object", "properties": common, "required": list(common)}]}


def _list_of_predictions() -> dict[str, Any]:
    predictions = {"type": "array", "items": {"$ref": "#/components/schemas/Prediction"}}
    return {"type": "object", "properties": {"predictions": predictions}, "required": ["predictions"]}


def _problems(*statuses: str) -> dict[str, Any]:
    return {status: {"$ref": f"#/components/responses/Problem{status}"} for status in statuses}


def _problem(status: str, contract: Contract) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if status == "400":
        feature = contract.requests.features[0]
        error = {"pointer": f"/{feature.name}", "detail": f"is missing; it must be {feature.expected()}"}
        content["example"] = {**_EXAMPLE_ERRORS, "errors": [error]}
    return {"description": _PROBLEMS[status], "content": {"application/problem+json": content}}


def _readable() -> dict[str, Any]:
    page = {"type": "string"}
    anything = {"type": "object"}
    return {
        "/schema": _read("schema", "What an instance and an answer are", "application/json", anything),
        "/openapi.json": _read("openapi", "This document", "application/json", anything),
        "/docs": _read("docs", "A page to read and try it", "text/html", page),
        "/health": _read("health", "Status, model, inputs and outputs", "application/json", anything, unready=anything),
        "/ready": _read("ready", "Whether it takes traffic", "text/plain", page),
        "/live": _read("live", "Whether it runs", "text/plain", page),
    }


def _read(
    name: str, summary: str, media_type: str, schema: dict[str, Any], unready: dict[str, Any] | None = None
) -> dict[str, Any]:
    answer = {"description": f"{summary}.", "content": {media_type: {"schema": schema}}}
    away: dict[str, Any] = {"$ref": "#/components/responses/Problem503"}
    if unready is not None:
        away = {"description": "The same, while it takes no traffic.", "content": {media_type: {"schema": unready}}}
    return {"get": {"operationId": name, "summary": summary, "responses": {"200": answer, "503": away}}}
