"""Jobs that run together and end together."""

import asyncio

import pytest
from tests.waiting import DEADLINE

from viridian.controller.runtime import jobs
from viridian.controller.runtime.jobs import end, run_until_cancelled


class Stubborn:
    """A loop that survives some cancellations, as one does whose request times out in the same moment."""

    def __init__(self, survives: int = 0) -> None:
        self.left = survives
        self.runs = asyncio.Event()
        self.ended = False

    async def run(self) -> None:
        while True:
            self.runs.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if not self.left:
                    self.ended = True
                    raise
                self.left -= 1


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "CANCEL_AGAIN_AFTER", 0.01)


async def test_a_job_that_survives_its_cancellation_is_cancelled_again() -> None:
    # given two jobs, one of which loses cancellations
    easy, stubborn = Stubborn(), Stubborn(survives=3)
    both = asyncio.create_task(run_until_cancelled({"easy": easy.run(), "stubborn": stubborn.run()}))
    await asyncio.gather(easy.runs.wait(), stubborn.runs.wait())

    # when they are to end
    both.cancel()
    await asyncio.wait({both}, timeout=DEADLINE)

    # then they have
    assert both.cancelled()
    assert (easy.ended, stubborn.ended) == (True, True)


async def test_whoever_waits_for_an_end_may_be_cancelled_and_still_waits() -> None:
    # given somebody who ends a stubborn job
    stubborn = Stubborn(survives=3)
    job = asyncio.create_task(stubborn.run())
    await stubborn.runs.wait()
    ending = asyncio.create_task(end([job]))
    await asyncio.sleep(0)

    # when he is cancelled himself
    ending.cancel()
    await asyncio.wait({ending}, timeout=DEADLINE)

    # then the job has ended before him
    assert ending.cancelled()
    assert stubborn.ended


async def test_if_one_job_fails_all_end_and_its_error_is_told() -> None:
    async def fail() -> None:
        raise ValueError("a defect")

    other = Stubborn()
    with pytest.raises(ValueError, match="a defect"):
        await run_until_cancelled({"other": other.run(), "failing": fail()})
    assert other.ended


async def test_a_job_that_just_ends_is_a_defect() -> None:
    with pytest.raises(RuntimeError, match="short ended unexpectedly"):
        await run_until_cancelled({"short": asyncio.sleep(0)})
