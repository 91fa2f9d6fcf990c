"""Whose failure it is, when stable was asked for the same."""

import asyncio

import pytest
from tests.serving.api.test_fallback import FAILED, GOOD, HELP, Own, stage
from tests.waiting import DEADLINE

from viridian_serving.http1.messages import Response
from viridian_serving.inference import witness
from viridian_serving.inference.witness import Witness
from viridian_shared.counts.outcome import Outcome

REVISION = ((b"Viridian-Revision", b"m-1"),)


@pytest.mark.parametrize(
    ("stable", "said"),
    [
        (HELP, Outcome.ERROR),
        (Response(500, b"failed too", headers=REVISION), Outcome.UNJUDGED),
        (Response(502, b"nonsense too", headers=REVISION), Outcome.UNJUDGED),
        (Response(422, b"ended under it", headers=REVISION), Outcome.UNJUDGED),
        (Response(400, b"not for me", headers=REVISION), Outcome.ERROR),
        (Response(503, b"busy", headers=REVISION), Outcome.ERROR),
        (Response(504, b"late", headers=REVISION), Outcome.ERROR),
        (Response(500, b"another revision"), Outcome.ERROR),
    ],
    ids=["helps", "fails too", "cannot be read", "ended", "refuses", "is busy", "is late", "is not stable"],
)
async def test_what_stable_does_with_the_same_input_tells_whose_failure_it_is(stable: Response, said: Outcome) -> None:
    # given
    counted: list[Outcome] = []
    async with stage() as s:
        s.stable.answer = stable
        own = Own(FAILED)
        # when this pod's model fails, and stable is asked
        await s.ask(own)
    # then
    assert s.context is not None
    assert s.context.witness is not None
    s.context.witness.judge(FAILED, counted.append)
    assert counted == [said]


async def test_a_failure_waits_for_stable_but_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    monkeypatch.setattr(witness, "_MOMENT", 0.01)
    counted: asyncio.Queue[Outcome] = asyncio.Queue()
    late = Witness()
    # when stable says nothing
    late.judge(FAILED, counted.put_nowait)
    # then it is an error, and stays one
    assert await asyncio.wait_for(counted.get(), DEADLINE) is Outcome.ERROR
    late.say(Outcome.UNJUDGED)
    assert counted.empty()


async def test_a_timeout_and_an_absent_triton_wait_for_nobody() -> None:
    counted: list[Outcome] = []
    for status in (503, 504):
        Witness().judge(Response(status, b""), counted.append)
    assert counted == [Outcome.ERROR, Outcome.ERROR]


async def test_what_is_good_needs_no_witness() -> None:
    async with stage() as s:
        assert await s.ask(Own(GOOD)) is GOOD
        assert s.context is not None
        assert s.context.witness is not None
        assert s.context.witness.said is Outcome.ERROR
