"""What the API says about itself: valid, true, and a page that loads nothing."""

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection
from tests.serving import models
from tests.serving.api.test_malformed import MODEL
from tests.serving.models import CUSTOMER, CUSTOMERS
from tests.serving.pod import Pod, running_pod
from tests.waiting import eventually

from viridian_serving.codec.answers import AnswerWriter
from viridian_serving.codec.oip import TensorValues
from viridian_serving.codec.tensors import DataType, ModelSchema, Tensor
from viridian_serving.contract.binding import bind
from viridian_serving.contract.contract import Contract
from viridian_serving.contract.docs_page import docs_page
from viridian_serving.contract.documents import documents
from viridian_serving.contract.json_schema import prediction_schema
from viridian_serving.contract.openapi import openapi
from viridian_serving.contract.schema_file import parse

IDENTITY = {"model": "m", "version": "v1", "revision": "m-1"}
X = Tensor("X", DataType.FP32, (4,))
LABEL, PROBABILITIES = Tensor("label", DataType.INT64, (1,)), Tensor("probabilities", DataType.FP32, (3,))


def declared(text: str, model: ModelSchema = MODEL) -> Contract:
    return bind(parse(text.encode()), model)


CONTRACTS = {
    "customers": declared(CUSTOMERS),
    "customers, sensitive": declared(CUSTOMERS.replace("name: income,", "name: income, sensitive: true,")),
    "a row": Contract.derived(ModelSchema((X,), (LABEL, PROBABILITIES), 8)),
    "a number": Contract.derived(ModelSchema((Tensor("x", DataType.FP64, (1,)),), (LABEL,), 8)),
    "an image": Contract.derived(
        ModelSchema((Tensor("x", DataType.UINT8, (2, 2)),), (Tensor("y", DataType.FP32, (2, 2)),), 8)
    ),
    "any length": Contract.derived(
        ModelSchema((Tensor("x", DataType.INT32, (-1,)),), (Tensor("y", DataType.BYTES, (-1,)), LABEL, X), 0)
    ),
    "three of many classes": declared(
        "outputs: {classes: [a, b, c]}\nanswer: {top_k: 2, round: 3}", ModelSchema((X,), (LABEL, PROBABILITIES), 8)
    ),
}
every_contract = pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS.keys())


@every_contract
def test_the_document_is_valid_openapi(contract: Contract) -> None:
    OpenAPIV31SpecValidator(openapi(contract, IDENTITY, 1000)).validate()


@every_contract
def test_its_examples_are_valid(contract: Contract) -> None:
    # given
    document = openapi(contract, IDENTITY, 1000)
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    validator = jsonschema.Draft202012Validator({**content["schema"], "components": document["components"]})
    # then
    assert set(content["examples"]) == {"one", "many"}
    for example in content["examples"].values():
        validator.validate(example["value"])


def test_a_sensitive_feature_is_in_no_address() -> None:
    assert set(openapi(CONTRACTS["customers, sensitive"], IDENTITY, 10)["paths"]["/predict"]) == {"post"}
    assert set(openapi(CONTRACTS["customers"], IDENTITY, 10)["paths"]["/predict"]) == {"get", "post"}


@pytest.mark.parametrize(
    ("outputs", "values", "text"),
    [
        ([LABEL, PROBABILITIES], [(1,), (0.25, 0.5, 0.25)], None),
        ([LABEL, PROBABILITIES], [(1,), (0.25, 0.5, 0.25)], "outputs: {classes: [a, b, c]}\nanswer: {top_k: 2}"),
        ([LABEL, PROBABILITIES], [(1,), (0.25, 0.5, 0.25)], "answer: {withhold: [confidence]}"),
        ([LABEL, PROBABILITIES], [(1,), (0.25, 0.5, 0.25)], "outputs: {prediction: label}"),
        ([LABEL, PROBABILITIES], [(1,), (0.25, 0.5, 0.25)], "outputs: {probabilities: probabilities}"),
        ([Tensor("y", DataType.FP32, (1,))], [(1.5,)], None),
        ([Tensor("y", DataType.FP32, (2, 2))], [(1.0, 2.0, 3.0, 4.0)], None),
        ([Tensor("y", DataType.BYTES, (1,)), X], [("a",), (1.0, 2.0, 3.0, 4.0)], None),
        ([Tensor("y", DataType.FP32, (-1,))], [(1.0,)], None),
        ([Tensor("y", DataType.FP32, (-1,))], [(1.0, 2.0)], None),
    ],
)
def test_answers_are_what_is_published(outputs: list[Tensor], values: list[tuple[Any, ...]], text: str | None) -> None:
    # given
    model = ModelSchema((X,), tuple(outputs), 8)
    answers = (declared(text, model) if text else Contract.derived(model)).answers
    tensors = [
        TensorValues(each.name, each.datatype, (1, *(len(value) if dim == -1 else dim for dim in each.dims)), value)
        for each, value in zip(outputs, values, strict=True)
    ]
    # when
    (answer,) = AnswerWriter(answers).predictions(tensors, 1, batched=True)
    # then
    schema = prediction_schema(answers)
    jsonschema.Draft202012Validator({**schema, "additionalProperties": False}).validate(answer)


# -- the page


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str, str]] = []
        self.inside: dict[str, str] = {}
        self._tag = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.inside[self._tag] = self.inside.get(self._tag, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def fields(self) -> list[str]:
        named = [(tag, value) for tag, name, value in self.attributes if name == "name"]
        return [value for tag, value in named if tag in ("input", "select", "textarea")]


@every_contract
def test_the_page_has_a_field_for_every_feature_and_loads_nothing(contract: Contract) -> None:
    # when
    answer = documents(contract, IDENTITY, max_instances=10, max_body=100)[b"/docs"]
    page = Page(answer.body.decode())
    policy = dict(answer.headers)[b"Content-Security-Policy"].decode()
    # then
    assert page.fields() == [feature.name for feature in contract.requests.features]
    assert {value for _, name, value in page.attributes if name in ("src", "href")} == {
        "data:,",
        "openapi.json",
        "schema",
        "health",
    }
    assert "default-src 'none'" in policy
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        digest = base64.b64encode(hashlib.sha256(page.inside[tag].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "style"]
    assert not re.search(r"https?://", answer.body.decode())


def test_nothing_that_an_author_writes_gets_out_of_its_place() -> None:
    # given
    evil = "</script><script>alert(1)</script>\"'><b>"
    text = f"description: {json.dumps(evil)}\nfeatures: [{{name: {json.dumps(evil)}, unit: {json.dumps(evil)}}}]"
    contract = declared(text, ModelSchema((Tensor("x", DataType.FP32, (1,)),), (LABEL,), 8))
    # when
    page = Page(docs_page(contract, IDENTITY))
    # then
    assert page.fields() == [evil]
    assert "alert(1)" not in page.inside["script"]
    assert [tag for tag, _, _ in page.attributes].count("script") == 0


# -- a pod


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with running_pod(tmp_path_factory.mktemp("customers"), models.customers) as running:
        yield running


@pytest.mark.serving
@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [
        *(("POST", "/predict", mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)),
        *(("GET", "/predict", mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)),
        *(("GET", path, GenerationMode.POSITIVE) for path in ("/health", "/live", "/ready", "/schema", "/docs")),
    ],
)
def test_the_pod_does_what_its_document_says(pod: Pod, method: str, path: str, mode: GenerationMode) -> None:
    # given
    api = schemathesis.openapi.from_dict(pod.get("/openapi.json").json)
    answered = Counter[int]()

    @given(api[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def check(case: schemathesis.Case) -> None:
        if mode is GenerationMode.POSITIVE and "Viridian-Timeout-Ms" in (case.headers or {}):
            case.headers["Viridian-Timeout-Ms"] = "9000"  # who waits for a millisecond rightly gets a 504
        # when
        response = case.call(base_url=f"http://127.0.0.1:{pod.ports['HTTP_PORT']}")
        # then no 5xx, no status, header or body that the document does not name, and nothing taken that it refuses
        excluded = [negative_data_rejection] if _is_no_matter_for_the_tool(response) else []
        case.validate_response(response, excluded_checks=excluded)
        answered[response.status_code] += 1

    check()
    if path == "/predict":
        assert answered[200] > 0 if mode is GenerationMode.POSITIVE else answered[400] > 0


def _is_no_matter_for_the_tool(response: Response) -> bool:
    """Whether it is refused with 413, or holds a null: an empty object becomes an empty value in an address."""
    return response.status_code == 413 or re.search(r"[?&]balance=(&|$)", str(response.request.url)) is not None


@pytest.mark.serving
def test_the_documents_of_a_pod(pod: Pod, tmp_path: Path) -> None:
    # when
    schema, document, page = pod.get("/schema"), pod.get("/openapi.json"), pod.get("/docs")
    # then
    OpenAPIV31SpecValidator(document.json).validate()
    assert document.json["info"] == {
        "title": "m",
        "version": "v1",
        "description": "Which offer a customer takes.",
    }
    jsonschema.Draft202012Validator(schema.json["instance"]).validate(CUSTOMER)
    jsonschema.Draft202012Validator(schema.json["prediction"]).validate(pod.predict(CUSTOMER).json)
    assert pod.predict(schema.json["example"]).status == 200
    assert (schema.json["features"][0]["name"], schema.json["features"][0]["unit"]) == ("income", "EUR")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert pod.get("/docs", "FALLBACK_PORT").status == 200
    assert pod.request("POST", "/docs", b"").status == 405


@pytest.mark.serving
def test_a_pod_says_nothing_before_it_knows_its_model(tmp_path: Path) -> None:
    # given no Triton
    pod = Pod.create(tmp_path)
    models.customers(pod.model_directory)
    try:
        pod.start_api()
        eventually(lambda: pod.get("/live").status == 200, pod.log)
        # then
        for path in ("/schema", "/openapi.json", "/docs", "/predict?age=1"):
            answer = pod.get(path)
            assert (answer.status, answer.json["type"]) == (503, "urn:viridian:problem:starting")
        assert pod.request("POST", "/v2/models/m/infer", b"{}").status == 503
    finally:
        pod.stop()
