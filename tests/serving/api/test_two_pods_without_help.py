"""A candidate whose stable cannot help, or only for so long; both with a real Triton."""

import threading
from http.client import HTTPConnection
from pathlib import Path

import pytest
from tests.frozen import frozen
from tests.serving import models
from tests.serving.pod import Answer, post_many, running_pod
from tests.serving.two_pods import BY_ROUTE, two_pods
from tests.waiting import DEADLINE, eventually

pytestmark = pytest.mark.serving


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
        # when it is rolled back after all
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
        with frozen(triton):
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
        # then only the one is turned away
        assert (helped.status, helped.json["type"]) == (503, "urn:viridian:problem:busy")
        for thread in waiting:
            thread.join(DEADLINE)
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
        with frozen(triton):
            # when more come than the queue holds
            answers = await post_many(pair.candidate, [{"i": 1}] * 12, clients=12, **BY_ROUTE)
        # then those are told so, and stable hears nothing of them
        refused = [answer for answer in answers if answer.status == 503]
        assert refused
        assert {answer.json["type"] for answer in refused} == {"urn:viridian:problem:queue-full"}
        fallbacks = pair.stable.since(before).get(("fallback", "ok"), 0)
        assert fallbacks <= len(answers) - len(refused)
