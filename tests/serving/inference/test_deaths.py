"""Requests under which Triton ended: who is refused, for how long, and what is held against the model."""

import pytest

from viridian_serving.codec.oip import Encoded
from viridian_serving.http1.messages import Request
from viridian_serving.http1.problems import Problem
from viridian_serving.inference import deaths
from viridian_serving.inference.deaths import WHILE, Deaths
from viridian_serving.inference.request_context import RequestContext
from viridian_shared.counts.via import Via


def predicted(*tensors: bytes) -> RequestContext:
    context = RequestContext(Request(b"POST", b"/predict", {}, b"", 0.0), "id", Via.SPLIT, 0.0)
    context.instances = [Encoded(((4,),), 1, tensors)]
    return context


def inferred(*tensors: bytes) -> RequestContext:
    context = RequestContext(Request(b"POST", b"/v2/models/m/infer", {}, b"", 0.0), "id", Via.SPLIT, 0.0)
    context.asked = tensors
    return context


def is_refused(known: Deaths, context: RequestContext, now: float) -> bool:
    try:
        known.check(context, now)
    except Problem as problem:
        return (problem.status, problem.kind) == (422, "refused-input")
    return False


def test_the_same_input_is_refused_for_a_while_however_it_is_sent() -> None:
    # given
    known = Deaths()
    known.note(predicted(b"kill"), 0.0)
    # then
    assert is_refused(known, predicted(b"kill"), 1.0)
    assert is_refused(known, inferred(memoryview(b"kill")), WHILE - 1)
    assert not is_refused(known, predicted(b"good"), 1.0)
    assert not is_refused(known, predicted(b"goods"), 1.0)
    assert known.refused == 2
    # and not for ever
    assert not is_refused(known, predicted(b"kill"), WHILE)
    assert len(known) == 0


@pytest.mark.parametrize(
    ("ends", "now", "excused"),
    [
        ([], 0.0, False),
        ([100.0], 101.0, True),
        ([100.0, 100.5], 101.0, True),  # two requests, lost together
        ([100.0], 170.0, False),  # Triton should be back by then
        ([100.0, 130.0], 131.0, False),  # it is the model after all
        ([100.0, 800.0], 801.0, True),
    ],
)
def test_one_end_is_not_held_against_the_model_and_a_second_is(ends: list[float], now: float, excused: bool) -> None:
    known = Deaths()
    for i, moment in enumerate(ends):
        known.note(predicted(b"%d" % i), moment)
    assert known.excuse(now) is excused


def test_a_process_that_is_given_up_is_an_end_after_which_triton_is_replaced() -> None:
    # given
    replaced: list[str] = []
    known = Deaths(given_up=lambda: replaced.append("triton"))
    known.note_given_up(predicted(b"slow"), 100.0)
    # then it is as any other, since the process may have ended of what it was asked
    assert is_refused(known, predicted(b"slow"), 101.0)
    assert known.excuse(101.0)
    # but Triton, which goes on without it, is of no use any more
    assert replaced == ["triton"]
    # and of one that has ended by itself nothing is asked
    known.note(predicted(b"kill"), 101.0)
    assert replaced == ["triton"]


@pytest.mark.parametrize(
    ("given_up", "now", "replacing"),
    [
        ([], 100.0, False),
        ([100.0], 100.0, True),
        ([100.0], 104.9, True),
        ([100.0], 105.0, False),
        ([9.0, 100.0], 101.0, True),
    ],
)
def test_what_is_lost_while_triton_is_replaced_did_not_end_it(
    given_up: list[float], now: float, replacing: bool
) -> None:
    known = Deaths()
    for moment in given_up:
        known.note_given_up(predicted(b"slow"), moment)
    assert known.is_replacing(now) is replacing


@pytest.mark.parametrize(
    ("ends", "words"), [([100.0], 1), ([100.0, 100.5], 1), ([100.0, 130.0], 1), ([100.0, 800.0], 2)]
)
def test_the_container_is_told_of_each_end_that_is_not_held_against_the_model(ends: list[float], words: int) -> None:
    told: list[None] = []
    known = Deaths(lambda: told.append(None))
    for i, moment in enumerate(ends):
        known.note(predicted(b"%d" % i), moment)
    assert len(told) == words


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deaths, "_MOST", 2)
    known = Deaths()
    for each in (b"a", b"b", b"c"):
        known.note(predicted(each), 0.0)
    assert [is_refused(known, predicted(each), 1.0) for each in (b"a", b"b", b"c")] == [False, True, True]
    assert known.number == 1
