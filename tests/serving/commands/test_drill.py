"""Pods that fail on purpose, with a real Triton, and the container that sends them requests."""

import json
import time
from collections.abc import AsyncIterator, Callable

import pytest
from tests.ports import free_port
from tests.serving import models
from tests.serving.pod import Pod
from tests.waiting import DEADLINE

from viridian_serving.checks.drill_traffic import Plan, Tally
from viridian_serving.commands.traffic import NoGoodAnswerError, send
from viridian_serving.http1.messages import Request, Response
from viridian_serving.http1.server import HttpServer
from viridian_serving.settings.config import Settings
from viridian_shared.pod.exit_codes import DRILL_CRASHED

PLAN = Plan(url="", rate=50, quiet=0.4, longest=20)
SETTINGS = Settings(
    namespace="ml",
    model="iris",
    model_version="v1",
    model_uri="image:///m",
    revision="iris-1",
    color="blue",
    pod_uid="uid",
)


# -- pods


@pytest.mark.serving
def test_a_failing_pod_is_ready_says_so_and_fails_every_request(pod: Callable[..., Pod]) -> None:
    failing = pod(models.lookup, DRILL="Failing")
    assert failing.get("/ready").status == 200
    assert failing.get("/health").json["drill"] == "Failing"
    answers = [failing.predict({"i": 1}) for _ in range(3)]
    assert {answer.status for answer in answers} == {500}
    assert "on purpose" in failing.log()


@pytest.mark.serving
def test_a_slow_pod_answers_well_and_late(pod: Callable[..., Pod]) -> None:
    slow = pod(models.lookup, DRILL="Slow", DRILL_DELAY="400ms")
    begun = time.monotonic()
    answer = slow.predict({"i": 3})
    assert (answer.status, answer.json["prediction"]) == (200, 30.0)
    assert time.monotonic() - begun >= 0.4


@pytest.mark.serving
def test_a_wrong_pod_gives_every_request_the_answer_to_the_first(pod: Callable[..., Pod]) -> None:
    wrong = pod(models.lookup, DRILL="Wrong")
    assert [wrong.predict({"i": index}).json["prediction"] for index in (3, 4, 5)] == [30.0] * 3


@pytest.mark.serving
def test_a_crashing_pod_ends_under_its_first_request(pod: Callable[..., Pod]) -> None:
    crashing = pod(models.lookup, DRILL="Crash")
    assert crashing.predict({"i": 1}).status == 0  # no answer at all
    assert crashing.api is not None
    assert crashing.api.wait(DEADLINE) == DRILL_CRASHED
    assert "on purpose" in crashing.termination_log


@pytest.mark.serving
def test_a_pod_of_no_drill_has_nothing_of_it(lookup: Pod) -> None:
    assert "drill" not in lookup.get("/health").json
    assert lookup.predict({"i": 4}).json["prediction"] == 40.0


# -- requests


class Twin:
    """Answers its schema, and predictions as it is told."""

    def __init__(self) -> None:
        self.port = free_port()
        self.asked = 0
        self.answer: Callable[[int], Response] = lambda _: Response(200, b"{}")

    async def __call__(self, request: Request) -> Response:
        if request.path == b"/schema":
            return Response(200, b'{"example": {"i": 1}}')
        assert json.loads(request.body) == {"i": 1}
        self.asked += 1
        return self.answer(self.asked)

    def plan(self, **changes: float) -> Plan:
        asked = {"rate": PLAN.rate, "quiet": PLAN.quiet, "longest": PLAN.longest} | changes
        return Plan(url=f"http://127.0.0.1:{self.port}", **asked)


@pytest.fixture
async def twin() -> AsyncIterator[Twin]:
    served, server = Twin(), HttpServer(1000)
    await server.listen("127.0.0.1", served.port, served)
    yield served
    await server.close(1)


async def test_requests_are_sent_until_failures_are_over(twin: Twin) -> None:
    # given a twin that fails for a while
    twin.answer = lambda number: Response(500 if 20 <= number < 40 else 200, b"{}")
    begun = time.time()

    # when requests are sent
    tally = await send(SETTINGS, twin.plan())

    # then each was counted, and when the first one failed
    assert tally.failed == 20
    assert tally.requests > 40
    assert tally.first is not None
    assert begun < tally.first < time.time()
    report = json.loads(tally.report())
    assert report["failed"] == 20
    assert report["example"].startswith("status 500")
    assert report["firstFailureAt"] < report["lastFailureAt"]


async def test_without_failures_they_end_in_time(twin: Twin) -> None:
    tally = await send(SETTINGS, twin.plan(longest=0.5))
    assert (tally.failed, tally.first) == (0, None)
    assert tally.requests > 0
    assert "firstFailureAt" not in json.loads(tally.report())


async def test_late_answers_are_failures_where_a_guard_bounds_them(twin: Twin) -> None:
    twin.answer = lambda number: (time.sleep(0.05 if number == 10 else 0), Response(200, b"{}"))[1]
    tally = await send(SETTINGS, twin.plan(slow=0.04, rate=10))
    assert tally.failed >= 1
    assert tally.example.startswith("answered after")


async def test_a_twin_that_answers_badly_from_the_start_is_no_drill(
    twin: Twin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("viridian_serving.commands.traffic._TRIES", 2)
    twin.answer = lambda _: Response(503, b"{}")
    with pytest.raises(NoGoodAnswerError, match="status 503"):
        await send(SETTINGS, twin.plan())


def test_failures_are_over_when_none_was_seen_for_long_enough() -> None:
    tally = Tally().after(1.0, "").after(2.0, "status 500").after(2.5, "")
    assert not Tally().is_over(100.0, PLAN)
    assert not tally.is_over(2.25, PLAN)
    assert tally.is_over(2.5, PLAN)
