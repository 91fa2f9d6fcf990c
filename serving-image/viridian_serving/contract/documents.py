"""What this pod says about itself to those who want to use it: ``/schema``, ``/openapi.json``, ``/docs``."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from viridian_serving.codec.features import Feature
from viridian_serving.contract import docs_page
from viridian_serving.contract.contract import Contract
from viridian_serving.contract.json_schema import brief_sample, instance_schema, prediction_schema, sample_of
from viridian_serving.contract.openapi import openapi
from viridian_serving.http1.messages import Response

PATHS: Final = (b"/schema", b"/openapi.json", b"/docs")
# It changes with the revision, and the route may lead to another one at any time.
_CACHING: Final = ((b"Cache-Control", b"no-cache"),)


def documents(
    contract: Contract, identity: Mapping[str, str], *, max_instances: int, max_body: int, keyed: bool = False
) -> dict[bytes, Response]:
    """Write all of them.

    Args:
        contract: What is taken and given.
        identity: model, version and revision.
        max_instances: Most instances in a request.
        max_body: Most bytes in a request.
        keyed: Whether clients need an API key.

    Returns:
        The answers for PATHS.
    """
    described = {**identity, **_schema(contract), "limits": {"instances": max_instances, "body": max_body}}
    page = docs_page.docs_page(contract, identity, keyed=keyed).encode()
    return {
        b"/schema": Response(200, msgspec.json.encode(described), headers=_CACHING),
        b"/openapi.json": Response(
            200, msgspec.json.encode(openapi(contract, identity, max_instances, keyed=keyed)), headers=_CACHING
        ),
        b"/docs": Response(200, page, b"text/html; charset=utf-8", (*docs_page.HEADERS, *_CACHING)),
    }


def _schema(contract: Contract) -> dict[str, Any]:
    answers = contract.answers
    roles = {
        "prediction": answers.prediction,
        "probabilities": answers.probabilities,
        "confidence": answers.confidence,
        "classes": list(answers.classes) or None,
    }
    policy = {
        "top_k": answers.top_k,
        "round": answers.decimals,
        "withhold": sorted(answers.withhold) or None,
        "max_age": contract.max_age or None,
    }
    return {
        "description": contract.description,
        "input_schema": contract.fingerprint,
        "features": [_feature(feature) for feature in contract.requests.features],
        "outputs": _said(roles),
        "answer": _said(policy),
        "raw": contract.raw,
        "batch": contract.model.batching.describe(),
        "instance": {"$schema": "https://json-schema.org/draft/2020-12/schema", **instance_schema(contract.requests)},
        "prediction": {"$schema": "https://json-schema.org/draft/2020-12/schema", **prediction_schema(answers)},
        "example": sample_of(contract.requests),
    }


def _feature(feature: Feature) -> dict[str, Any]:
    return {
        "name": feature.name,
        "type": str(feature.kind),
        "shape": list(feature.dims),
        **_said(
            {
                "min": feature.minimum,
                "max": feature.maximum,
                "categories": list(feature.categories) or None,
                "max_length": feature.max_length,
                "nullable": feature.nullable or None,
                "sensitive": feature.sensitive or None,
                "unit": feature.unit or None,
                "description": feature.description or None,
                "example": brief_sample(feature),
            }
        ),
    }


def _said(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
