"""A candidate whose model stands still, or is gone; stable answers instead. Both with a real Triton."""

import os
import signal
from pathlib import Path

import pytest
from tests.frozen import freeze, thaw
from tests.serving import models
from tests.serving.pod import post_many, running_pod
from tests.serving.two_pods import BY_ROUTE, two_pods
from tests.waiting import DEADLINE, eventually

pytestmark = pytest.mark.serving


# -- the model stands still, or is gone


async def test_a_candidate_that_hangs_costs_nobody_an_answer(tmp_path: Path) -> None:
    with two_pods(tmp_path) as pair:
        pair.wait_until_known()
        before = pair.candidate.counts()
        (triton,) = pair.candidate.processes("tritonserver")
        # when
        freeze(triton)
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
        thaw(triton)
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
        assert pair.candidate.triton.wait(DEADLINE) == 86
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
        freeze(triton)
        assert alone.predict({"i": 1}, **BY_ROUTE).status == 504
        # then
        eventually(lambda: alone.get("/ready").status == 503, alone.log)
        assert "no answer to a trial input" in alone.get("/ready").json["detail"]
        assert b"viridian_model_failing 1.0" in alone.get("/metrics", "METRICS_PORT").body
        assert alone.get("/triton/live", "METRICS_PORT").status == 503
        assert alone.get("/live", "METRICS_PORT").status == 200
        # when
        thaw(triton)
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
