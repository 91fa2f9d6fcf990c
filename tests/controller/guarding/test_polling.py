"""The loop that pollers share."""

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from tests.waiting import DEADLINE

from viridian.controller.guarding.polling import poll
from viridian.metrics.connection import MetricsError


async def test_one_bad_look_ends_no_other_and_the_same_trouble_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    # given looks that go wrong in different ways, and well in between
    away = MetricsError("Prometheus did not answer")
    outcomes: Iterator[Exception | None] = iter([away, away, None, away, KeyError("x"), None])
    done = asyncio.Event()

    async def look() -> None:
        outcome = next(outcomes, done)
        if outcome is done:
            done.set()
        elif isinstance(outcome, Exception):
            raise outcome

    # when they are made one after the other
    with caplog.at_level(logging.WARNING):
        polling = asyncio.create_task(poll(look, timedelta(0), "the reports"))
        await asyncio.wait_for(done.wait(), DEADLINE)
        polling.cancel()

    # then all were made, and each trouble is told when it begins
    told = [record.getMessage() for record in caplog.records]
    assert told.count("the reports cannot be read: Prometheus did not answer") == 2
    assert told.count("looking at the reports failed; next try in 0:00:00") == 1
    assert len(told) == 3
