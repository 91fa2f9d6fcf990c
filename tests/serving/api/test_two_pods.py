"""A failing candidate, and stable that answers instead; both with a real Triton."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tritonclient.http
from tests.serving import models
from tests.serving.pod import post_many
from tests.serving.two_pods import BY_ROUTE, Pair, two_pods
from tests.waiting import eventually

pytestmark = pytest.mark.serving


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with two_pods(tmp_path_factory.mktemp("pair")) as made:
        made.wait_until_known()
        yield made


# -- the model fails


async def test_no_client_sees_a_failing_candidate_and_every_failure_is_counted(pair: Pair) -> None:
    # given
    before = pair.candidate.counts(), pair.stable.counts(), Counter(pair.candidate.rescues())
    # when
    indices = [i % 10 for i in range(200)]
    answers = await post_many(pair.candidate, [{"i": index} for index in indices], **BY_ROUTE)
    # then each client gets the right answer, and those that stable gave say so
    for index, answer in zip(indices, answers, strict=True):
        helped = index > 1
        assert (answer.status, answer.json["prediction"]) == (200, index * 10.0)
        assert answer.headers.get("viridian-fallback") == ("stable" if helped else None)
        assert answer.headers["viridian-revision"] == ("m-1" if helped else "m-2") == answer.json["revision"]
        assert answer.headers["x-request-id"] == answer.json["request_id"]
    # and what counts is what the candidate's model did
    assert pair.candidate.since(before[0]) == {("split", "ok"): 40, ("split", "error"): 160}
    assert Counter(pair.candidate.rescues()) - before[2] == {"error": 160}
    assert pair.stable.since(before[1]) == {("fallback", "ok"): 160}
    ((kind, status, detail),) = pair.candidate.failures()
    assert (kind, status) == ("model-failed", "500")
    assert "running Gather node" in detail
    assert not any(letter.isdigit() for letter in detail)


async def test_what_stable_fails_on_as_well_blames_nobody(pair: Pair) -> None:
    # given
    before = pair.candidate.counts(), pair.stable.counts()
    # when users, pinned ones among them, send what no revision can answer, and what only the candidate cannot
    answers = [pair.candidate.predict({"i": index}, Viridian_Via=via) for index in (99, 5) for via in ("split", "pin")]
    # then only the latter counts against it
    assert [answer.status for answer in answers] == [500, 500, 200, 200]
    assert pair.candidate.since(before[0]) == {
        (via, outcome): 1 for via in ("split", "pin") for outcome in ("unjudged", "error")
    }
    assert pair.stable.since(before[1]) == {("fallback", "error"): 2, ("fallback", "ok"): 2}


def test_a_list_is_answered_whole_by_one_of_them(pair: Pair) -> None:
    answer = pair.candidate.predict([{"i": 1}, {"i": 5}], Viridian_Via="pin")
    assert [each["prediction"] for each in answer.json["predictions"]] == [10.0, 50.0]
    assert answer.json["revision"] == "m-1"


def test_what_an_address_asks_is_rescued_too_and_no_cache_keeps_it(pair: Pair) -> None:
    # given
    headers = {"Viridian-Via": "split"}
    # when
    own = pair.candidate.request("GET", "/predict?i=1", headers=headers)
    rescued = pair.candidate.request("GET", "/predict?i=5", headers=headers)
    # then
    assert (own.json["prediction"], own.headers["cache-control"], "etag" in own.headers) == (10.0, "no-cache", True)
    assert (rescued.status, rescued.json["prediction"], rescued.json["revision"]) == (200, 50.0, "m-1")
    assert (rescued.headers["cache-control"], "etag" in rescued.headers) == ("no-store", False)


def test_stable_answers_by_its_own_policy(tmp_path: Path) -> None:
    # given two versions with the same features
    def make(policy: str, size: int, directory: Path) -> None:
        models.lookup(directory, size)
        (directory / "schema.yaml").write_text(
            "features: [{name: index, tensor: i}]\noutputs: {prediction: y, confidence: y}\n" + policy
        )

    stable = partial(make, "answer: {withhold: [confidence]}", 10)
    with two_pods(tmp_path, partial(make, "", 2), stable) as pair:
        eventually(lambda: pair.candidate.predict({"index": 9}, **BY_ROUTE).status == 200, pair.candidate.log)
        # when
        own, rescued = (pair.candidate.predict({"index": index}, **BY_ROUTE).json for index in (1, 5))
        # then
        assert (own["prediction"], own["confidence"], own["revision"]) == (10.0, 10.0, "m-2")
        assert (rescued["prediction"], rescued["revision"]) == (50.0, "m-1")
        assert "confidence" not in rescued


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_triton_s_own_protocol_is_rescued_too(pair: Pair, binary: bool, compression: str | None) -> None:
    # given
    client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{pair.candidate.ports['HTTP_PORT']}")
    given = tritonclient.http.InferInput("i", [2, 1], "INT64")
    given.set_data_from_numpy(np.array([[3], [7]]), binary_data=binary)
    # when
    result = client.infer(
        "m",
        [given],
        outputs=[tritonclient.http.InferRequestedOutput("y", binary_data=binary)],
        headers={"Viridian-Via": "split"},
        request_id="r1",
        request_compression_algorithm=compression,
        response_compression_algorithm=compression,
    )
    # then
    assert result.as_numpy("y").tolist() == [[30.0], [70.0]]
    assert result.get_response()["id"] == "r1"


@pytest.mark.parametrize(
    ("port", "via"),
    [
        ("HTTP_PORT", ""),
        ("HTTP_PORT", "check"),
        ("HTTP_PORT", "mirror"),
        ("HTTP_PORT", "fallback"),
        ("HTTP_PORT", "split, split"),
        ("FALLBACK_PORT", ""),
        ("FALLBACK_PORT", "split"),
        ("FALLBACK_PORT", "pin"),
        ("FALLBACK_PORT", "fallback"),
    ],
)
def test_nothing_else_is_passed_on(pair: Pair, port: str, via: str) -> None:
    # given
    before = pair.stable.counts()
    # when
    headers = {"Viridian_Via": via, "Viridian_Fallback": "stable"} if via else {}
    answer = pair.candidate.predict({"i": 5}, port, **headers)
    # then
    assert (answer.status, answer.json["type"]) == (500, "urn:viridian:problem:model-failed")
    assert pair.stable.since(before) == {}


def test_the_client_s_own_mistakes_are_not_passed_on(pair: Pair) -> None:
    before = pair.stable.counts()
    assert pair.candidate.predict({"i": "x"}, **BY_ROUTE).status == 400
    infer = pair.candidate.request("POST", "/v2/models/m/infer", b"{", headers=BY_ROUTE)
    assert infer.status == 400
    assert pair.stable.since(before) == {}


def test_what_stable_fails_too_is_the_candidate_s_own_error(pair: Pair) -> None:
    answer = pair.candidate.predict({"i": 99}, **BY_ROUTE)
    assert (answer.status, answer.headers["viridian-revision"]) == (500, "m-2")
    assert "viridian-fallback" not in answer.headers
    assert pair.candidate.rescues("viridian_rescues_failed")["error"] >= 1


def test_a_rescued_request_does_not_pass_for_fast(pair: Pair) -> None:
    # given what was answered here and what was not
    pair.candidate.predict({"i": 1}, **BY_ROUTE)
    pair.candidate.predict({"i": 5}, **BY_ROUTE)
    counts = pair.candidate.counts()
    # then exactly the errors are above the highest bound
    page = pair.candidate.get("/metrics", "METRICS_PORT").body.decode()
    within = [line for line in page.splitlines() if 'via="split"' in line and 'le="60.0"' in line]
    assert float(within[0].rsplit(" ", 1)[1]) == counts["split", "ok"]


# -- the features are the same, and what is behind them is not

FLOORS = """
features:
  - {name: number, type: integer, tensor: i, min: 0, max: 9, example: 1}
"""
WIDER = FLOORS.replace("max: 9", "max: 20")
RAISES = """
def preprocess(instance):
    number = instance["number"]
    if number % 3 == 2:
        raise RuntimeError(f"there is no floor {number} here")
    return {"i": number}
"""


def floors(directory: Path, schema: str = FLOORS, script: str | None = None) -> None:
    models.lookup(directory, 21)
    (directory / "schema.yaml").write_text(schema)
    if script is not None:
        (directory / "preprocess.py").write_text(script)


@pytest.fixture(scope="module")
def preprocessed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A candidate that differs from stable by a preprocess.py, and takes larger numbers."""
    candidate = partial(floors, schema=WIDER.replace(", tensor: i", ""), script=RAISES)
    with two_pods(tmp_path_factory.mktemp("preprocessed"), candidate, floors) as made:
        eventually(lambda: made.candidate.predict({"number": 2}, **BY_ROUTE).status == 200, made.candidate.log)
        yield made


async def test_no_client_sees_a_preprocess_that_raises_and_every_failure_is_counted(preprocessed: Pair) -> None:
    # given
    pair = preprocessed
    before = pair.candidate.counts(), Counter(pair.candidate.rescues())
    # when
    numbers = [i % 10 for i in range(120)]
    answers = await post_many(pair.candidate, [{"number": number} for number in numbers], **BY_ROUTE)
    # then each client gets the right answer, by stable where the candidate's preprocess.py raised
    assert [(answer.status, answer.json["prediction"]) for answer in answers] == [(200, n * 10.0) for n in numbers]
    helped = {n: answer.json["revision"] for n, answer in zip(numbers, answers, strict=True)}
    assert helped == {n: "m-1" if n % 3 == 2 else "m-2" for n in range(10)}
    # and each failure counts
    assert pair.candidate.since(before[0]) == {("split", "ok"): 84, ("split", "error"): 36}
    assert Counter(pair.candidate.rescues()) - before[1] == {"error": 36}
    # and what it failed with is told, without what clients sent
    detail = "RuntimeError: there is no floor … here"
    assert pair.candidate.failures()["preprocess-failed", "500", detail] >= 36


def test_what_stable_s_own_schema_refuses_is_the_candidate_s_own_error(preprocessed: Pair) -> None:
    # given a number that only the candidate takes, and fails
    before = preprocessed.stable.counts()
    answer = preprocessed.candidate.predict({"number": 14}, **BY_ROUTE)
    # then its client gets the candidate's error, not stable's 400
    assert (answer.status, answer.json["type"]) == (500, "urn:viridian:problem:preprocess-failed")
    assert answer.headers["viridian-revision"] == "m-2"
    assert preprocessed.stable.since(before) == {("fallback", "rejected"): 1}
    assert preprocessed.candidate.rescues("viridian_rescues_failed")["error"] == 1


def test_pods_tell_what_stable_can_answer(preprocessed: Pair) -> None:
    for pod, covers in ((preprocessed.candidate, "all"), (preprocessed.stable, "self")):
        assert pod.get("/health").json["fallback"] == {"covers": covers, "reason": ""}
        (sample,) = pod.samples("viridian_fallback_available")
        assert (sample.labels["covers"], sample.labels["reason"], sample.value) == (covers, "", float(covers == "all"))
