"""A stable pod, a candidate, and the Service between them; both with a real Triton."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import tritonclient.http
from tests.serving import models
from tests.serving.pod import Answer, Pod, eventually, post_many, running_pod
from tests.serving.service import Service, service

from viridian_serving.triton import excuse

pytestmark = pytest.mark.serving

FEW = partial(models.lookup, size=2)
"""Fails for the indices 2 to 9, and answers the trial input."""
BY_ROUTE = {"Viridian_Via": "split"}


@dataclass
class Pair:
    stable: Pod
    candidate: Pod
    service: Service

    def wait_until_known(self) -> None:
        """Until the candidate knows who is stable: then a failure is answered by it."""
        eventually(lambda: self.candidate.predict({"i": 9}, **BY_ROUTE).status == 200, self.candidate.log)


@contextmanager
def two_pods(
    directory: Path,
    make_candidate: Callable[[Path], object] = FEW,
    make_stable: Callable[[Path], object] = models.lookup,
    both: Mapping[str, str] = MappingProxyType({}),
    **settings: str,
) -> Iterator[Pair]:
    with ExitStack() as stack:
        name = stack.enter_context(service())
        stable = stack.enter_context(
            running_pod(directory / "stable", make_stable, STABLE=name.address, COLOR="blue", REVISION="m-1", **both)
        )
        name.target = stable.ports["FALLBACK_PORT"]
        candidate = stack.enter_context(
            running_pod(
                directory / "candidate",
                make_candidate,
                **{
                    "STABLE": name.address,
                    "COLOR": "green",
                    "REVISION": "m-2",
                    "TIMEOUT": "3s",
                    "FALLBACK_AFTER": "500ms",
                    **both,
                    **settings,
                },
            )
        )
        yield Pair(stable, candidate, name)


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


# -- when nobody can help


def test_a_stable_that_takes_other_inputs_is_not_asked(tmp_path: Path) -> None:
    with two_pods(tmp_path, models.reciprocal) as pair:
        # given a candidate that knows who is stable
        eventually(lambda: "the stable revision is m-1" in pair.candidate.log(), pair.candidate.log)
        assert pair.candidate.get("/health").json["input_schema"] != pair.stable.get("/health").json["input_schema"]
        # when
        answer = pair.candidate.predict({"x": 0}, **BY_ROUTE)
        # then the candidate says why
        reason = "feature 'x' is new; feature 'i' is gone, and stable needs it"
        assert pair.candidate.get("/health").json["fallback"] == {"covers": "none", "reason": reason}
        (sample,) = pair.candidate.samples("viridian_fallback_available")
        assert (sample.labels["covers"], sample.labels["reason"], sample.value) == ("none", reason, 0.0)
        assert answer.status == 500
        assert pair.stable.counts() == {}
        assert (pair.candidate.rescues(), pair.candidate.rescues("viridian_rescues_failed")) == ({}, {})


def test_stable_gone_and_back_and_roles_swapped(tmp_path: Path) -> None:
    with two_pods(tmp_path) as pair:
        pair.wait_until_known()
        # when the Service leads to nobody
        pair.service.target = None
        eventually(lambda: pair.candidate.predict({"i": 5}, **BY_ROUTE).status == 500, pair.candidate.log)
        # then it is as if there were no stable, until there is one again
        pair.service.target = pair.stable.ports["FALLBACK_PORT"]
        pair.wait_until_known()
        eventually(lambda: "the stable revision is m-1" in pair.stable.log(), pair.stable.log)
        # and both, now that they know, keep their clients' connections
        for pod in (pair.stable, pair.candidate):
            assert "connection" not in pod.predict({"i": 1}).headers
        # when the candidate is promoted
        pair.service.target = pair.candidate.ports["FALLBACK_PORT"]
        # then the former stable sends its clients on, over connections that they had before too
        held = HTTPConnection("127.0.0.1", pair.stable.ports["FALLBACK_PORT"], timeout=10)

        def told_to_go() -> bool:
            held.request("POST", "/predict", b'{"i": 1}')
            response = held.getresponse()
            response.read()
            assert response.status == 200
            return response.getheader("connection") == "close"

        eventually(told_to_go, pair.stable.log)
        held.close()
        # and the new stable, once it knows, keeps its own, asks nobody, and helps the other
        eventually(lambda: "the stable revision is m-2" in pair.candidate.log(), pair.candidate.log)
        assert "connection" not in pair.candidate.predict({"i": 1}).headers
        assert pair.candidate.predict({"i": 5}, **BY_ROUTE).status == 500
        # when it is taken back after all
        pair.service.target = pair.stable.ports["FALLBACK_PORT"]
        # then the other is stable again
        eventually(lambda: "connection" not in pair.stable.predict({"i": 1}).headers, pair.stable.log)
        eventually(lambda: pair.candidate.predict({"i": 1}).headers.get("connection") == "close")


def test_stable_turns_others_away_before_its_own(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.lookup, MAX_QUEUE="8") as stable:
        answers: list[Answer] = []

        def ask(**headers: str) -> threading.Thread:
            thread = threading.Thread(
                target=lambda: answers.append(stable.predict({"i": 1}, "FALLBACK_PORT", **headers))
            )
            thread.start()
            return thread

        # given a queue that is more than a quarter full
        (triton,) = stable.processes("tritonserver")
        os.kill(triton, signal.SIGSTOP)
        try:
            waiting = []
            while b"viridian_queue_instances 3.0" not in stable.get("/metrics", "METRICS_PORT").body:
                sent = len(waiting)
                waiting.append(ask())
                eventually(
                    lambda sent=sent: (
                        f"viridian_requests_in_flight {sent + 1}.0".encode()
                        in stable.get("/metrics", "METRICS_PORT").body
                    ),
                )
            # when another pod asks for help, and then a client of its own comes
            helped = stable.predict({"i": 1}, "FALLBACK_PORT", Viridian_Via="fallback")
            waiting.append(ask())
        finally:
            os.kill(triton, signal.SIGCONT)
        # then only the one is turned away
        assert (helped.status, helped.json["type"]) == (503, "urn:viridian:problem:busy")
        for thread in waiting:
            thread.join(20)
        assert {answer.status for answer in answers} == {200}
        assert stable.counts() == {("direct", "ok"): len(waiting), ("fallback", "error"): 1}


def test_stable_keeps_to_the_time_that_is_left(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.slow) as stable:
        headers = {"Viridian_Via": "fallback", "Viridian_Timeout_Ms": "300"}
        answer = stable.predict({"rounds": 3_000_000}, "FALLBACK_PORT", **headers)
        assert (answer.status, answer.json["type"]) == (504, "urn:viridian:problem:timeout")


async def test_a_full_queue_is_not_passed_on(tmp_path: Path) -> None:
    with two_pods(tmp_path, MAX_QUEUE="2", FALLBACK_AFTER="2900ms") as pair:
        pair.wait_until_known()
        before = pair.stable.counts()
        (triton,) = pair.candidate.processes("tritonserver")
        # given a model that stands still
        os.kill(triton, signal.SIGSTOP)
        try:
            # when more come than the queue holds
            answers = await post_many(pair.candidate, [{"i": 1}] * 12, clients=12, **BY_ROUTE)
        finally:
            os.kill(triton, signal.SIGCONT)
        # then those are told so, and stable hears nothing of them
        refused = [answer for answer in answers if answer.status == 503]
        assert refused
        assert {answer.json["type"] for answer in refused} == {"urn:viridian:problem:queue-full"}
        fallbacks = pair.stable.since(before).get(("fallback", "ok"), 0)
        assert fallbacks <= len(answers) - len(refused)


# -- the model stands still, or is gone


async def test_a_candidate_that_hangs_costs_nobody_an_answer(tmp_path: Path) -> None:
    with two_pods(tmp_path) as pair:
        pair.wait_until_known()
        before = pair.candidate.counts()
        (triton,) = pair.candidate.processes("tritonserver")
        # when
        os.kill(triton, signal.SIGSTOP)
        answers = await post_many(pair.candidate, [{"i": 1}] * 60, clients=10, **BY_ROUTE)
        # then every client has its answer from stable
        assert {(answer.status, answer.headers.get("viridian-fallback")) for answer in answers} == {(200, "stable")}
        # and every one of them counts against the candidate, once its time is over
        eventually(
            lambda: pair.candidate.since(before) == {("split", "error"): 60},
            lambda: str(pair.candidate.since(before)),
        )
        assert set(pair.candidate.rescues()) <= {"error", "hung", "slow"}
        # and the pod stays in its place, where it is counted
        assert pair.candidate.get("/ready").status == 200
        assert pair.candidate.get("/triton/live", "METRICS_PORT").status == 200
        # when it goes on
        os.kill(triton, signal.SIGCONT)
        # then so do its answers
        eventually(
            lambda: pair.candidate.predict({"i": 1}, **BY_ROUTE).headers["viridian-revision"] == "m-2",
            pair.candidate.log,
        )
        eventually(lambda: pair.candidate.get("/health").json["status"] == "ok", pair.candidate.log)


async def test_a_candidate_whose_triton_is_killed_costs_nobody_an_answer(tmp_path: Path) -> None:
    with two_pods(tmp_path) as pair:
        pair.wait_until_known()
        before = pair.candidate.counts()
        (triton,) = pair.candidate.processes("tritonserver")
        os.kill(triton, signal.SIGKILL)
        answers = await post_many(pair.candidate, [{"i": 1}] * 40, **BY_ROUTE)
        assert {(answer.status, answer.json["prediction"]) for answer in answers} == {(200, 10.0)}
        counted = pair.candidate.since(before)
        helped = sum("viridian-fallback" in answer.headers for answer in answers)
        assert counted["split", "error"] == helped > 0
        assert pair.candidate.rescues()["unreachable"] > 0


async def test_a_candidate_whose_model_process_dies_costs_nobody_else_an_answer(tmp_path: Path) -> None:
    with two_pods(tmp_path, TIMEOUT="30s", FALLBACK_AFTER="20s") as pair:
        pair.wait_until_known()
        before = pair.candidate.counts(), pair.stable.counts()
        (stub,) = pair.candidate.processes("triton_python_backend_stub")
        os.kill(stub, signal.SIGKILL)
        # when a request runs until Triton ends with it
        lost = pair.candidate.predict({"i": 0}, **BY_ROUTE)
        again = pair.candidate.predict({"i": 0}, **BY_ROUTE)
        # then it is not handed on, since it may be the reason, and not taken again; nobody is blamed
        assert (lost.status, lost.json["type"]) == (500, "urn:viridian:problem:model-died")
        assert (again.status, again.json["type"]) == (422, "urn:viridian:problem:refused-input")
        assert pair.candidate.since(before[0]) == {("split", "unjudged"): 1, ("split", "rejected"): 1}
        assert pair.stable.since(before[1]) == {}
        assert pair.candidate.gauge("viridian_model_deaths_total") == 1
        # and the container says so by its exit code and in its status
        assert pair.candidate.triton is not None
        assert pair.candidate.triton.wait(30) == excuse.EXIT_CODE
        assert "while a request ran" in pair.candidate.termination_log
        # and all others are answered
        answers = await post_many(pair.candidate, [{"i": 1}] * 40, **BY_ROUTE)
        assert {(answer.status, answer.json["prediction"]) for answer in answers} == {(200, 10.0)}
        # and the pod stays, and is not restarted, though its model is known to be dead
        eventually(lambda: pair.candidate.get("/health").json["status"] == "failing", pair.candidate.log)
        assert pair.candidate.get("/ready").status == 200
        assert pair.candidate.get("/triton/live", "METRICS_PORT").status == 200
        # until nobody can help it
        pair.service.target = None
        eventually(lambda: pair.candidate.get("/ready").status == 503, pair.candidate.log)
        assert pair.candidate.get("/triton/live", "METRICS_PORT").status == 503


def test_without_help_a_model_that_does_not_answer_takes_its_pod_out_until_it_does(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.lookup, TIMEOUT="1s") as alone:
        (triton,) = alone.processes("tritonserver")
        # when
        os.kill(triton, signal.SIGSTOP)
        assert alone.predict({"i": 1}, **BY_ROUTE).status == 504
        # then
        eventually(lambda: alone.get("/ready").status == 503, alone.log)
        assert "no answer to a trial input" in alone.get("/ready").json["detail"]
        assert b"viridian_model_failing 1.0" in alone.get("/metrics", "METRICS_PORT").body
        assert alone.get("/triton/live", "METRICS_PORT").status == 503
        assert alone.get("/live", "METRICS_PORT").status == 200
        # when
        os.kill(triton, signal.SIGCONT)
        # then
        alone.wait_ready()
        assert alone.get("/triton/live", "METRICS_PORT").status == 200
        assert alone.predict({"i": 1}).status == 200


def test_inputs_that_a_model_fails_on_do_not_take_its_pod_out(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.lookup) as alone:
        # given requests that fail, without one that does not in between
        before = alone.calls()
        for _ in range(20):
            assert alone.predict({"i": 99}, **BY_ROUTE).status == 500
        # when the model was tried for that, and tried again
        eventually(lambda: alone.calls() > before + 20, alone.log)
        assert alone.predict({"i": 99}, **BY_ROUTE).status == 500
        eventually(lambda: alone.calls() > before + 22, alone.log)
        # then it was found to be well
        assert alone.get("/ready").status == 200
        assert alone.get("/health").json["status"] == "ok"
