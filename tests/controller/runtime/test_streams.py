"""An error in a watch ends that watch and not the operator, as long as Kopf does not see to it itself."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import kopf
import pytest
from kopf._cogs.clients import watching
from kopf._cogs.structs.references import Resource

from viridian.controller.runtime import streams

MODELS = Resource("viridian.dev", "v1alpha1", "modeldeployments", namespaced=True)


def event(kind: str, **body: Any) -> dict[str, Any]:
    return {"type": kind, "object": {"metadata": {"resourceVersion": "2"}, **body}}


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the API server says in the first watch; after that one Kopf is told to pause."""
    said: list[dict[str, Any]] = []

    async def listed(**_: Any) -> AsyncIterator[tuple[list[Any], str]]:
        yield [], "1"

    async def watched(*, operator_pause_waiter: asyncio.Future[None], **_: Any) -> AsyncIterator[dict[str, Any]]:
        operator_pause_waiter.set_result(None)
        for each in said:
            yield each

    monkeypatch.setattr(watching.fetching, "fetch_objs", listed)
    monkeypatch.setattr(watching, "watch_objs", watched)
    monkeypatch.setattr(streams, "PAUSE", 0.0)
    return said


async def follow() -> list[str]:
    stream = watching.continuous_watch(
        settings=kopf.OperatorSettings(),
        resource=MODELS,
        namespace=None,
        operator_pause_waiter=asyncio.get_running_loop().create_future(),
    )
    return [str(each["type"]) async for each in stream if isinstance(each, dict)]


@pytest.mark.parametrize("code", [429, 500, 504])
async def test_kopf_alone_takes_an_error_for_fatal(events: list[dict[str, Any]], code: int) -> None:
    """Once this fails, Kopf sees to it (nolar/kopf#962), and `forgive_watch_errors` can go."""
    events += [event("ADDED"), event("ERROR", code=code, message="busy")]
    with pytest.raises(watching.WatchingError, match="busy"):
        await follow()


@pytest.mark.parametrize("code", [429, 500, 504])
async def test_an_error_ends_the_watch_and_nothing_else(
    events: list[dict[str, Any]], code: int, caplog: pytest.LogCaptureFixture
) -> None:
    events += [event("ADDED"), event("ERROR", code=code, message="busy"), event("MODIFIED")]
    streams.forgive_watch_errors()
    assert await follow() == ["ADDED"]
    assert caplog.messages == ["a watch ended with an error; it starts again: busy"]


async def test_a_version_that_is_too_old_is_left_to_kopf(events: list[dict[str, Any]]) -> None:
    events += [event("ERROR", code=410, message="too old")]
    streams.forgive_watch_errors()
    assert await follow() == []


async def test_errors_are_forgiven_once_however_often_that_is_asked_for(events: list[dict[str, Any]]) -> None:
    streams.forgive_watch_errors()
    once = watching.watch_objs
    streams.forgive_watch_errors()
    assert watching.watch_objs is once
