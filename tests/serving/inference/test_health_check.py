"""When a model is tried, and what readiness makes of it."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest
from tests.waiting import until

from viridian_serving.codec.oip import Encoded
from viridian_serving.inference.batcher import QueueFullError
from viridian_serving.inference.health_check import HealthCheck
from viridian_serving.inference.model import Model, ModelFailedError, UnreachableError
from viridian_serving.inference.readiness import Readiness
from viridian_serving.inference.trials import Trial

ZEROS, ONES = Encoded(((1,),), 1, (b"0",)), Encoded(((1,),), 1, (b"1",))
TRIALS = [Trial(ZEROS), Trial(ONES, "sample.json")]
REQUEST = Encoded(((1,),), 1, (b"7",))


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_FIRST_RETRY", "_LAST_RETRY", "_RETRY", "_LOOK"):
        monkeypatch.setattr(f"viridian_serving.inference.health_check.{name}", 0.01)


@dataclass
class FakeModel:
    """Answers each trial as it is told to: None is well, a number of seconds to wait in silence, or an error."""

    behaviour: Exception | float | None = None
    only_for: Encoded | None = None
    """The input that it behaves so for; None for all."""
    times: float = math.inf
    meanwhile: Callable[[], None] = lambda: None
    """Happens while a trial runs."""
    tried: list[Encoded] = field(default_factory=list)

    def submit(self, sample: Encoded, deadline: float) -> "asyncio.Future[list[dict[str, object]]]":
        self.tried.append(sample)
        self.meanwhile()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[dict[str, object]]] = loop.create_future()
        well = self.behaviour is None or self.times <= 0 or (self.only_for or sample) is not sample
        self.times -= 1
        if well:
            done.set_result([{}])
        elif isinstance(self.behaviour, QueueFullError):
            raise self.behaviour
        elif isinstance(self.behaviour, Exception):
            done.set_exception(self.behaviour)
        else:
            loop.call_at(deadline, lambda: done.done() or done.set_exception(TimeoutError()))
        return done


@dataclass
class Stage:
    model: FakeModel
    readiness: Readiness
    watch: HealthCheck
    help: bool = False
    waiting: bool = False
    looks: int = 0
    between_looks: Callable[[], None] = lambda: None

    def is_waiting(self) -> bool:
        self.looks += 1
        self.between_looks()
        return self.waiting


@asynccontextmanager
async def started() -> AsyncIterator[Stage]:
    model = FakeModel()
    readiness = Readiness(lambda: s.help)
    watch = HealthCheck(cast("Model", model), TRIALS, readiness, 0.1, lambda: s.is_waiting())
    s = Stage(model, readiness, watch)
    assert not readiness.ready
    await watch.start()
    assert readiness.ready
    model.tried.clear()
    running = asyncio.create_task(watch.run())
    yield s
    running.cancel()


async def test_a_model_that_nobody_doubts_is_left_in_peace() -> None:
    async with started() as s:
        await asyncio.sleep(0.1)
        assert s.model.tried == []


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (ModelFailedError("stub died"), "fails on a made-up input: stub died"),
        (UnreachableError("nothing listens"), "no answer to a trial input: nothing listens"),
        (3.0, "none within 0.1 s"),
        (QueueFullError(), "the model's queue has been full for 0.1 s"),
    ],
    ids=["fails", "not there", "silent", "full"],
)
async def test_a_failure_is_reason_to_try_and_recovery_comes_by_itself(
    trouble: Exception | float, sentence: str
) -> None:
    async with started() as s:
        # when
        s.model.behaviour = trouble
        s.watch.failed()
        # then
        await until(lambda: not s.readiness.ready)
        assert s.readiness.status == "failing"
        assert sentence in s.readiness.reason
        # when
        s.model.behaviour = None
        # then
        await until(lambda: s.readiness.ready)
        assert (s.readiness.status, s.readiness.reason) == ("ok", "ready")


async def test_with_help_a_failing_pod_stays_ready_for_as_long_as_there_is_help() -> None:
    async with started() as s:
        s.help = True
        s.model.behaviour = ModelFailedError("x")
        s.watch.failed()
        await until(lambda: s.readiness.status == "failing")
        assert s.readiness.ready
        s.help = False
        assert not s.readiness.ready
        s.help = True
        assert s.readiness.ready


async def test_requests_that_fail_while_the_trial_succeeds_change_nothing() -> None:
    async with started() as s:
        s.watch.failed()
        await until(lambda: s.model.tried)
        await asyncio.sleep(0.05)
        assert s.readiness.status == "ok"


async def test_one_trial_that_fails_is_not_enough() -> None:
    async with started() as s:
        s.model.behaviour = ModelFailedError("x")
        s.model.times = 1
        s.watch.failed()
        await until(lambda: len(s.model.tried) >= 2)
        assert s.readiness.status == "ok"


async def test_a_model_that_answers_others_meanwhile_is_only_busy() -> None:
    async with started() as s:
        s.model.behaviour, s.model.meanwhile = 3.0, s.watch.answered
        s.watch.failed()
        await until(lambda: s.model.tried)
        await asyncio.sleep(0.2)
        assert s.readiness.status == "ok"


async def test_requests_that_wait_in_silence_are_reason_to_try() -> None:
    async with started() as s:
        s.waiting = True
        await until(lambda: s.model.tried)
        s.model.behaviour = 3.0
        await until(lambda: not s.readiness.ready)


async def test_what_waits_is_no_reason_while_others_are_answered() -> None:
    async with started() as s:
        s.waiting, s.between_looks = True, s.watch.answered
        await until(lambda seen=s.looks: s.looks > seen + 3)
        assert s.model.tried == []


async def test_the_input_that_was_answered_at_the_start_is_the_one_to_try() -> None:
    # given a model that takes no zeros
    model = FakeModel(ModelFailedError("zeros"), only_for=ZEROS)
    watch = HealthCheck(cast("Model", model), TRIALS, Readiness(lambda: False), 0.1, lambda: False)
    await watch.start()
    # when it is doubted
    running = asyncio.create_task(watch.run())
    watch.failed()
    await until(lambda: len(model.tried) == 3)
    # then zeros are not tried again
    assert model.tried == [ZEROS, ONES, ONES]
    running.cancel()


@pytest.mark.parametrize(("given", "tried_later"), [((REQUEST,), [REQUEST]), ((), [])], ids=["/predict", "/v2"])
async def test_a_request_that_is_answered_is_proof_where_no_trial_is(
    given: tuple[Encoded, ...], tried_later: list[Encoded]
) -> None:
    # given a model that takes nothing that is made up
    model = FakeModel(ModelFailedError("no"))
    readiness = Readiness(lambda: False)
    watch = HealthCheck(cast("Model", model), TRIALS, readiness, 0.1, lambda: False)
    starting = asyncio.create_task(watch.start())
    await until(lambda: "fails on a made-up input: no. If it takes only particular inputs" in readiness.reason)
    assert not readiness.ready
    # when somebody's request is answered
    watch.answered(given)
    # then
    assert await starting is None
    assert readiness.ready
    # and it is the only one to doubt the model by
    model.tried.clear()
    model.behaviour = None
    running = asyncio.create_task(watch.run())
    watch.failed()
    await until(lambda: model.tried == tried_later)
    assert readiness.ready
    running.cancel()


async def test_a_model_that_is_not_there_is_not_asked_for_every_size() -> None:
    # given
    model = FakeModel(UnreachableError("nothing listens"), times=1)
    watch = HealthCheck(cast("Model", model), TRIALS, Readiness(lambda: False), 0.1, lambda: False)
    # when
    await watch.start()
    # then
    assert model.tried == [ZEROS, ZEROS]


async def test_a_pod_that_is_stopped_stays_off() -> None:
    async with started() as s:
        s.help = True
        s.readiness.stop()
        assert (s.readiness.ready, s.readiness.status) == (False, "stopping")
        assert s.readiness.reason == "the pod is being stopped"
