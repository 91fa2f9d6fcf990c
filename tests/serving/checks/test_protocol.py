"""The smoke check by tritonclient: whether clients of the Open Inference Protocol get what those of /predict get."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from itertools import count
from threading import Event
from typing import Any

import pytest
from tests.ports import free_port
from tests.serving.checks.protocol_server import INPUT, METADATA, OUTPUT, SAMPLE, SCHEMA, Table, answer, version

from viridian_serving.checks.agreement import Finding
from viridian_serving.checks.smoke import check_smoke
from viridian_serving.checks.target import Target
from viridian_serving.contract.contract import Contract
from viridian_serving.http1.client import PeerUnreachableError


async def smoke(url: str, key: str = "", sample: bytes = SAMPLE, seconds: float = 10.0) -> Finding:
    with closing(Target(url, "the candidate", key, seconds)) as candidate:
        return await check_smoke(sample, candidate, None, Contract.derived)


def in_turns(*answers: Any) -> Callable[[], Any]:
    """Give one after the other, and begin again."""
    numbers = count()
    return lambda: answers[next(numbers) % len(answers)]


def asked_by_tritonclient(table: Table) -> list[str]:
    return [f"{told.method} {told.path}" for told in table.asked if told.path.startswith("/v2")]


async def test_a_version_that_answers_both_protocols_alike_passes() -> None:
    # given
    with version() as table:
        # when
        finding = await smoke(table.url, key="secret")
    # then
    assert finding == Finding(True, "the sample is answered; tritonclient gets the same answer to it")
    assert asked_by_tritonclient(table) == [
        "GET /v2/health/live",
        "GET /v2/health/ready",
        "GET /v2/models/m/ready",
        "GET /v2/models/m",
        "GET /v2/models/m/config",
        "POST /v2/models/m/infer",
    ]
    # and every request says that it is no user's
    assert {(told.headers["Viridian-Via"], told.headers["X-Api-Key"]) for told in table.asked} == {("check", "secret")}


async def test_the_first_instances_of_a_sample_are_one_inference() -> None:
    # given a sample of two rows
    rows = answer(shape=[2, 1], data=[5.5, 1.0])
    with version(predict={"predictions": [{"prediction": 5.5}, {"prediction": 1.0}]}, infer=rows) as table:
        # when
        finding = await smoke(table.url, sample=b'[{"x": [1.5, 2]}, {"x": [1, 0]}]')
    # then
    assert finding.passed, finding.sentence
    assert b'"shape":[2,2]' in table.asked[-1].body.replace(b" ", b"")


async def test_each_instance_of_a_sample_is_compared() -> None:
    rows = answer(shape=[2, 1], data=[5.5, 2.0])
    with version(predict={"predictions": [{"prediction": 5.5}, {"prediction": 1.0}]}, infer=rows) as table:
        finding = await smoke(table.url, sample=b'[{"x": [1.5, 2]}, {"x": [1, 0]}]')
    assert not finding.passed
    assert finding.sentence.endswith("than /predict: predictions[1].prediction is 2.0 and not 1.0")


@pytest.mark.parametrize(("sample", "schema"), [(SAMPLE, SCHEMA | {"input_schema": "sha256:0"}), (b'{"z": 1}', SCHEMA)])
async def test_files_that_the_pods_do_not_serve_say_nothing_about_the_model(
    sample: bytes, schema: dict[str, Any]
) -> None:
    with version(schema=schema) as table, pytest.raises(ValueError, match=r"^spec\.model\.uri: .* spec\.model\.digest"):
        await smoke(table.url, sample=sample)


async def test_no_key_is_sent_where_the_model_wants_none() -> None:
    with version() as table:
        assert (await smoke(table.url)).passed
    assert not [told for told in table.asked if "X-Api-Key" in told.headers]


async def test_a_model_whose_protocol_is_closed_is_not_asked_by_tritonclient() -> None:
    with version(schema=SCHEMA | {"raw": False}) as table:
        finding = await smoke(table.url)
    assert finding.passed
    assert finding.sentence.endswith("its schema.yaml closes the Open Inference Protocol, so tritonclient was not used")
    assert asked_by_tritonclient(table) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"live": (503, b"")}, "asked by tritonclient, the server is not live (/v2/health/live)"),
        ({"ready": (503, b"")}, "asked by tritonclient, the server is not ready (/v2/health/ready)"),
        ({"model": (400, b"")}, "asked by tritonclient, the model is not ready (/v2/models/m/ready)"),
        (
            {"metadata": (404, {"error": "no model 'm'"})},
            "asked by tritonclient, the version answers with status 404: no model 'm'",
        ),
        (
            {"metadata": b"<html>"},
            "asked by tritonclient, the version answers with what does not follow the protocol (",
        ),
        ({"metadata": {}}, "asked by tritonclient, the version answers with what does not follow the protocol ("),
        ({"config": {}}, "asked by tritonclient, the version answers with what does not follow the protocol ("),
        ({"config": (401, {"error": "no key"})}, "asked by tritonclient, the version answers with status 401: no key"),
        (
            {"metadata": METADATA | {"inputs": [INPUT | {"name": "z"}]}},
            "asked by tritonclient for the model's metadata, the version answers inputs 'z', and its schema has 'x'",
        ),
        (
            {"metadata": METADATA | {"outputs": []}},
            "asked by tritonclient for the model's metadata, the version answers outputs none, and its schema has 'y'",
        ),
        (
            {"metadata": METADATA | {"inputs": [INPUT | {"datatype": "FP64"}]}},
            "asked by tritonclient for the model's metadata, the version answers inputs 'x' as FP64 of shape [-1, 2],"
            " and its schema has FP32 of shape [-1, 2]",
        ),
        (
            {"metadata": METADATA | {"outputs": [OUTPUT | {"shape": ["-1", "3"]}]}},
            "asked by tritonclient for the model's metadata, the version answers outputs 'y' as FP32 of shape [-1, 3],"
            " and its schema has FP32 of shape [-1, 1]",
        ),
        (
            {"infer": (500, {"error": "the model failed"})},
            "asked by tritonclient, the version answers with status 500: the model failed",
        ),
        (
            {"infer": (502, b"gone")},
            "asked by tritonclient, the version answers with status 502: an exception occurred",
        ),
        ({"infer": {"outputs": []}}, "asked by tritonclient, the version answers with an answer without output 'y'"),
        ({"infer": b"{"}, "asked by tritonclient, the version answers with what does not follow the protocol ("),
        (
            {"infer": answer(shape=[7])},
            "asked by tritonclient, the version answers with what does not follow the protocol (",
        ),
        (
            {"infer": answer(shape=[2, 1], data=[1.0, 2.0])},
            "asked by tritonclient, the version answers with outputs that cannot be used: output 'y' has 2 rows",
        ),
        (
            {"infer": answer(float("nan"))},
            "asked by tritonclient, the version answers with output 'y', which holds a number that is not finite",
        ),
        (
            {"infer": answer(6.0)},
            "tritonclient gets another answer to the sample than /predict: prediction is 6.0 and not 5.5",
        ),
        (
            {"infer": answer(datatype="INT32", data=[6])},
            "tritonclient gets another answer to the sample than /predict: prediction is 6 and not 5.5",
        ),
    ],
)
async def test_a_bad_answer_is_named(changes: dict[str, Any], told: str) -> None:
    # given
    with version(**changes) as table:
        # when
        finding = await smoke(table.url)
    # then
    assert finding.sentence.startswith(told)
    assert not finding.passed


async def test_an_answer_that_differs_once_is_asked_for_again() -> None:
    with version(infer=in_turns(answer(6.0), answer(5.51))) as table:
        assert (await smoke(table.url)).passed
    assert asked_by_tritonclient(table).count("POST /v2/models/m/infer") == 2


async def test_a_model_that_answers_differently_each_time_is_not_compared() -> None:
    with version(infer=answer(6.0), predict=in_turns(*({"prediction": float(n)} for n in range(5)))) as table:
        finding = await smoke(table.url)
    assert finding.passed
    assert finding.sentence.endswith("answers it differently each time, so tritonclient's answer was not compared")


async def test_a_version_that_fails_in_between_has_failed() -> None:
    with version(predict=in_turns({"prediction": 5.5}, (503, {"detail": "busy"}))) as table:
        finding = await smoke(table.url)
    assert finding == Finding(False, "the sample is answered with status 200 first, and then with 503: busy")


async def test_a_version_that_is_gone_is_not_blamed() -> None:
    candidate = Target(f"http://127.0.0.1:{free_port()}", "the candidate", "", 5.0)
    with pytest.raises(PeerUnreachableError, match=r"^the candidate does not answer tritonclient: .*refused"):
        await candidate.triton.describe("m")


async def test_a_version_that_takes_too_long_is_not_blamed() -> None:
    over = Event()

    def late() -> bytes:
        over.wait(10)
        return b""

    with version(live=late) as table:
        try:
            with pytest.raises(TimeoutError):
                await Target(table.url, "the candidate", "", 0.2).triton.describe("m")
        finally:
            over.set()


@pytest.mark.parametrize("program", ["api", "triton", "fetch", "serve"])
def test_only_a_check_loads_tritonclient(program: str) -> None:
    loaded = "[name for name in sys.modules if name.startswith(('tritonclient', 'gevent'))]"
    code = f"import sys, viridian_serving.commands.{program}; print({loaded})"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "[]"
