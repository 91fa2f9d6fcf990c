"""A follower is kept up to date through any trouble of the API, and the API is not pestered meanwhile."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from tests.waiting import DEADLINE, until

from viridian.kube import reflector
from viridian.kube.backoff import Backoff
from viridian.kube.client import Manifest, Page
from viridian.kube.errors import KubeError, error_for
from viridian.kube.reflector import Name, Reflector
from viridian.kube.resources import DEPLOYMENT

SERVICE = {"metadata": {"namespace": "default", "name": "iris", "resourceVersion": "6"}}
sleep = asyncio.sleep


class Follower:
    def __init__(self) -> None:
        self.there: set[Name] = set()

    def on_upsert(self, manifest: Manifest) -> None:
        self.there.add((manifest["metadata"]["namespace"], manifest["metadata"]["name"]))

    def on_delete(self, name: Name) -> None:
        self.there.discard(name)

    def names(self, namespace: str) -> set[Name]:
        return self.there


class Api:
    """Lists nothing; each watch does what the next piece of the script says, and at its end what the last one says."""

    def __init__(self, *script: KubeError | str, denied: KubeError | None = None) -> None:
        self.script, self.denied = list(script), denied
        self.lists, self.versions = 0, list[str]()

    async def pages(self, *_: object) -> AsyncIterator[Page]:
        self.lists += 1
        if self.denied is not None:
            raise self.denied
        yield Page([], "5")

    async def watch(self, *arguments: object) -> AsyncIterator[tuple[str, Manifest]]:
        self.versions.append(str(arguments[3]))
        if len(self.versions) > 1000:  # whoever never pauses would never end
            raise asyncio.CancelledError
        part = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(part, KubeError):
            raise part
        if part == "lasts":
            await sleep(2 * reflector.LASTED)
        if part == "tells":
            yield "ADDED", SERVICE


Run = Callable[[Api, int], Awaitable[list[float]]]


def follow(api: Api, follower: Follower | None = None) -> Reflector:
    return Reflector(api, DEPLOYMENT, "team-a", "", follower or Follower())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector, "BACKOFF", Backoff(0.001, 0.001))
    monkeypatch.setattr(reflector, "GRACE", 0.1)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a reflector until it has paused so often; returns the pauses."""

    monkeypatch.setattr(reflector, "BACKOFF", replace(reflector.BACKOFF, jitter=0))

    async def pauses(api: Api, count: int) -> list[float]:
        taken: list[float] = []

        async def pause(seconds: float) -> None:
            taken.append(seconds)
            if len(taken) == count:
                raise asyncio.CancelledError

        monkeypatch.setattr(asyncio, "sleep", pause)
        with pytest.raises(asyncio.CancelledError):
            await follow(api).run()
        return taken

    return pauses


@pytest.mark.parametrize(
    "ending",
    ["at once", error_for(403, "no watch"), error_for(410, "too old"), error_for(503, "busy")],
    ids=["ends at once", "denied", "expired", "unavailable"],
)
async def test_a_watch_that_never_works_is_begun_ever_less_often_though_the_list_works(
    run: Run, ending: KubeError | str
) -> None:
    assert await run(Api(ending), 8) == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 8.0, 8.0]


async def test_after_an_event_it_is_begun_again_at_once(run: Run) -> None:
    assert await run(Api("at once", "at once", "tells", "at once"), 4) == [0.2, 0.4, 0.2, 0.4]


async def test_after_a_watch_that_lasted_it_is_begun_again_at_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector, "LASTED", 0.5)
    assert await run(Api("at once", "at once", "lasts", "at once"), 4) == [0.2, 0.4, 0.2, 0.4]


async def test_a_watch_that_ended_goes_on_where_it_was(run: Run) -> None:
    api = Api("tells", "at once")
    await run(api, 3)
    assert (api.lists, api.versions) == (1, ["5", "6", "6", "6"])


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("status", [403, 404])
async def test_nobody_waits_for_ever_for_what_may_not_be_read(status: int) -> None:
    # given a namespace without a Role
    api, follower = Api("tells", "lasts", denied=error_for(status, "no")), Follower()
    watch = follow(api, follower)
    task = asyncio.create_task(watch.run())

    # when that may still change, then it is waited for, and afterwards it is not
    begun = asyncio.get_running_loop().time()
    await until(watch.synced.is_set)
    assert asyncio.get_running_loop().time() - begun >= reflector.GRACE

    # and when the Role is made after all, then the follower is told
    api.denied = None
    await until(lambda: follower.there)
    task.cancel()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("status", [401, 503])
async def test_an_api_that_does_not_answer_is_waited_for(status: int) -> None:
    api = Api("tells", "lasts", denied=error_for(status, "later"))
    watch = follow(api)
    task = asyncio.create_task(watch.run())
    await sleep(0.3)
    await until(lambda: api.lists > 3)
    assert not watch.synced.is_set()
    api.denied = None
    await asyncio.wait_for(watch.synced.wait(), DEADLINE)
    task.cancel()


async def test_one_trouble_is_told_once_with_the_namespace(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    busy = error_for(503, "busy")
    await run(Api(busy, busy, busy, error_for(403, "forbidden"), "tells", busy), 5)
    assert [record.getMessage().rpartition(";")[0] for record in caplog.records] == [
        "following deployments in team-a: busy",
        "following deployments in team-a: forbidden",
        "following deployments in team-a: busy",
    ]
