"""The defaults that the API server fills in are those that the models have."""

from typing import Any

import pytest
from pydantic import ValidationError

from viridian.api.generators.structural import structural_schema
from viridian.api.spec import ModelDeploymentSpec

MINIMAL = {
    "model": {"version": "v1.3.0", "uri": "image:///models/iris/v1.3.0"},
    "traffic": {"parentRefs": [{"name": "public"}]},
}


def filled_in(schema: dict[str, Any], value: Any) -> Any:
    """What the API server makes of a value: defaults of the schema, from the outside in."""
    if isinstance(value, list):
        return [filled_in(schema.get("items", {}), item) for item in value]
    if not isinstance(value, dict):
        return value
    properties = schema.get("properties", {})
    absent = {name: field["default"] for name, field in properties.items() if "default" in field and name not in value}
    return {name: filled_in(properties.get(name, {}), inner) for name, inner in (absent | value).items()}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"rollout": {}},
        {"rollout": {"bake": {"holdback": 10}}},
        {"rollout": {"steps": [{"weight": 10, "hold": "1m"}]}},
        {"serving": {"triton": {"resources": {"requests": {"cpu": 1}}}}},
        {"serving": {"podTemplate": {"tolerations": [{"key": "gpu"}], "env": [{"name": "A", "value": ""}]}}},
        {"serving": {"podTemplate": {"securityContext": {}, "annotations": {"a": "b"}}}},
        {"guards": {"errorRate": {"max": "1%"}, "latency": [{"percentile": "95", "max": "200ms"}]}},
    ],
)
def test_server_and_models_fill_in_the_same(change: dict[str, Any]) -> None:
    # given what a user wrote
    written = MINIMAL | change

    # when the server and the models each fill in what is missing
    by_server = filled_in(structural_schema(ModelDeploymentSpec), written)
    by_models = ModelDeploymentSpec.model_validate(written).manifest()

    # then both have the same, and reading it again changes nothing
    assert by_server == by_models
    assert ModelDeploymentSpec.model_validate(by_models).manifest() == by_models


def test_each_default_of_a_parent_is_made_of_its_childrens() -> None:
    # A parent that differed from its children would give two meanings to leaving something out.
    def check(schema: dict[str, Any], path: str) -> None:
        if "properties" in schema and "default" in schema:
            assert schema["default"] == filled_in(schema, {}), path
        for name, field in schema.get("properties", {}).items():
            check(field, f"{path}.{name}")

    check(structural_schema(ModelDeploymentSpec), "spec")


MOUNTED = {"version": "v1", "uri": f"oci://r/m@sha256:{64 * '0'}", "mount": "ImageVolume"}
AT_HUB = {"version": "v1", "uri": f"hf://acme/iris@{'0a' * 20}"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rollout": {"steps": [{"weight": 50, "hold": "1m"}, {"weight": 25, "hold": "1m"}]}}, "weights must increase"),
        ({"rollout": {"steps": [{"weight": 96, "hold": "1m"}]}}, "100 minus bake.holdback"),
        ({"rollout": {"bake": {"watch": {"holdback": 6}}}}, "may not be above bake.holdback"),
        ({"traffic": {}, "rollout": {"bake": {"watch": {}}}}, "rollout.bake.watch: needs a gateway"),
        ({"rollout": {"deadline": "5m"}}, "do not fit into it"),
        ({"serving": {"timeout": "soon"}}, "'soon' is not a duration"),
        ({"guards": {"errorRate": {"max": "150%"}}}, "'150%' is not a percentage"),
        ({"replicas": 3}, "Extra inputs are not permitted"),
        ({"model": {"version": "v1", "uri": "https://example.com/m"}}, "kubectl viridian digest URI"),
        ({"model": {"version": "v1", "uri": "pvc://models/m"}}, "kubectl viridian digest URI"),
        (
            {"model": {**MINIMAL["model"], "credentialsSecretRef": {"name": "reader"}}},
            "only models that are fetched need credentials",
        ),
        ({"model": {"version": "v1", "uri": "s3://models/m"}}, "kubectl viridian digest URI"),
        ({"model": {"version": "v1", "uri": "https://m/m?versionId=1"}}, "kubectl viridian digest URI"),
        ({"model": {**MINIMAL["model"], "store": {"region": "eu"}}}, "only fetched models come from a store"),
        ({"model": {**AT_HUB, "store": {"region": "eu"}}}, "are for s3 uris alone"),
        ({"model": {**AT_HUB, "store": {"endpoint": "http://hub"}}}, "is for s3 and mlflow uris alone"),
        ({"model": {"version": "v1", "uri": "mlflow://m/1"}}, "kubectl viridian digest URI"),
        ({"model": {"version": "v1", "uri": "mlflow://m/1", "digest": "x"}}, "store.endpoint: an mlflow uri needs it"),
        (
            {"model": {"version": "v1", "uri": f"oci://r/m@sha256:{64 * '0'}", "store": {"endpoint": "https://m"}}},
            "the whole address of an https or oci uri is in the uri",
        ),
        ({"model": {**AT_HUB, "store": {"anonymous": True}}}, "anonymous is for s3, gs and az uris"),
        ({"model": {**AT_HUB, "mount": "ImageVolume"}}, "mount: only an image in a registry"),
        ({"model": {**MOUNTED, "credentialsSecretRef": {"name": "pull"}}}, "imagePullSecrets"),
        ({"model": {**MOUNTED, "store": {"caConfigMap": {"name": "ca"}}}}, "store: the node pulls the image"),
        (
            {"model": {**AT_HUB, "uri": "https://m/m", "digest": "x", "store": {"endpoint": "https://m"}}},
            "the whole address of an https or oci uri is in the uri",
        ),
        ({"model": {**MINIMAL["model"], "maxSize": "2GB"}}, "'2GB' is not a size"),
        ({"serving": {"log": {"sink": "OTLP"}}}, "endpoint: sink OTLP needs the collector's whole address"),
        ({"serving": {"log": {"endpoint": "https://c/v1/logs"}}}, "endpoint: only sink OTLP sends to an address"),
        ({"serving": {"podTemplate": {"env": [{"name": "VIRIDIAN_X", "value": "1"}]}}}, "is set by the operator"),
        ({"serving": {"podTemplate": {"env": [{"name": "X"}]}}}, "either value or valueFrom"),
        (
            {"serving": {"podTemplate": {"env": [{"name": "X", "valueFrom": {}}]}}},
            "either secretKeyRef or configMapKeyRef",
        ),
        ({"serving": {"podTemplate": {"tolerations": [{}]}}}, "without a key the operator must be Exists"),
        (
            {"serving": {"podTemplate": {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}}},
            "with operator Exists there is no value",
        ),
        (
            {"serving": {"podTemplate": {"tolerations": [{"key": "a", "tolerationSeconds": 9}]}}},
            "needs effect NoExecute",
        ),
    ],
)
def test_the_models_refuse_what_the_server_refuses(change: dict[str, Any], sentence: str) -> None:
    # The operator also reads specs that an older definition let through.
    with pytest.raises(ValidationError, match=sentence):
        ModelDeploymentSpec.model_validate(MINIMAL | change)
