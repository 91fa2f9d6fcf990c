"""One operator of several leads: over a Lease in memory, with a clock that only the tests move."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest
from tests.controller.fakes import FakeApi
from tests.waiting import until

from viridian.controller.runtime.leadership import STUCK, Leadership, Term
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.errors import Unavailable
from viridian.kube.lease import Timing, holder_of
from viridian.kube.resources import LEASE, Kind

PLACE = ("viridian-system", "viridian")
TIMING = Timing(retry=0.001)


class Api(FakeApi):
    """With a connection that can be cut, before the request or before the answer."""

    down = False
    deaf = False
    hangs = False

    async def __aenter__(self) -> "Api":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        await self._hang()
        self._reach()
        return await super().get(kind, namespace, name)

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest:
        self._reach()
        return await super().create(kind, manifest)

    async def replace(self, kind: Kind, manifest: Manifest) -> Manifest:
        await self._hang()
        self._reach()
        written = await super().replace(kind, manifest)
        if self.deaf:
            raise Unavailable(503, "no answer")
        return written

    async def _hang(self) -> None:
        while self.hangs:  # noqa: ASYNC110 - set by the tests
            await asyncio.sleep(TIMING.retry)

    def _reach(self) -> None:
        if self.down:
            raise Unavailable(503, "connection refused")

    @property
    def lease(self) -> Manifest | None:
        return self.objects.get((LEASE, *PLACE))

    @property
    def holder(self) -> str:
        return holder_of(self.lease)


class Replica:
    """One operator; `terms` are those in which it has led, `works` says whether it does so now."""

    def __init__(self, api: Api, name: str, clock: Callable[[], float]) -> None:
        self.api, self.name = api, name
        self.terms: list[Term] = []
        self.works = False
        self.holder_at_end = ""
        self.fail = asyncio.Event()
        self.leadership = Leadership(cast("KubeClient", api), self.lead, PLACE, name, TIMING, clock)

    async def lead(self, term: Term) -> None:
        self.terms.append(term)
        self.works = True
        try:
            await self.fail.wait()
            raise ValueError("a defect")
        finally:
            self.works = False
            self.holder_at_end = self.api.holder


class Stage:
    def __init__(self) -> None:
        self.now = 1000.0
        self.api = Api()
        self.replicas: list[Replica] = []

    async def start(self, name: str) -> Replica:
        replica = Replica(self.api, name, lambda: self.now)
        self.replicas.append(replica)
        await replica.leadership.start()
        return replica

    async def looked(self) -> None:
        """Every replica has looked at the Lease a few times."""
        for _ in range(20):
            await asyncio.sleep(TIMING.retry)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    yield made
    made.api.down = made.api.deaf = made.api.hangs = False
    for replica in made.replicas:
        await replica.leadership.stop()


async def test_one_of_two_leads_and_goes_on_for_as_long_as_it_renews(stage: Stage) -> None:
    # given two replicas
    first = await stage.start("a")
    await until(lambda: first.works)
    second = await stage.start("b")

    # when minutes pass
    for _ in range(20):
        stage.now += TIMING.retry * 1000
        renewed = stage.api.writes.count(("replace", LEASE, "viridian"))
        await until(lambda seen=renewed: stage.api.writes.count(("replace", LEASE, "viridian")) > seen)

    # then the first leads all the time, in one term, and both are healthy
    await until(lambda: first.terms[0].until == stage.now + TIMING.deadline)
    assert (first.works, len(first.terms), first.leadership.health()) == (True, 1, True)
    assert (second.works, second.terms, second.leadership.health()) == (False, [], False)


async def test_of_two_that_begin_together_one_leads(stage: Stage) -> None:
    first, second = await stage.start("a"), await stage.start("b")
    await until(lambda: first.works or second.works)
    await stage.looked()
    assert first.works is not second.works


async def test_the_successor_of_a_dead_leader_waits_for_the_end_of_the_lease(stage: Stage) -> None:
    # given a leader that dies without a word, and one that watches its Lease
    stage.api.objects[LEASE, *PLACE] = lease("dead", 1)
    second = await stage.start("b")
    await stage.looked()
    stage.now += TIMING.duration - 0.1
    await stage.looked()
    assert not second.works

    # when the duration is over
    stage.now += 0.1

    # then it leads, in the next term
    await until(lambda: second.works)
    assert second.terms[0].epoch == "2-01234567"


async def test_the_lease_is_given_back_after_the_work_has_ended(stage: Stage) -> None:
    # given a leader, and another that waits
    first = await stage.start("a")
    await until(lambda: first.works)
    second = await stage.start("b")
    await stage.looked()

    # when the leader is told to stop
    await first.leadership.stop()
    stage.replicas.remove(first)

    # then its work has ended while the lease was still its own, nothing may be written any more, and the other leads
    # though no time has passed
    assert first.holder_at_end == "a"
    assert not first.terms[0].holds()
    await until(lambda: second.works)
    assert second.terms[0].epoch != first.terms[0].epoch


async def test_a_leader_that_does_not_reach_the_api_stops_before_others_may_lead(stage: Stage) -> None:
    # given a leader that loses the API
    first = await stage.start("a")
    await until(lambda: first.works)
    stage.api.down = True

    # when the deadline passes
    stage.now += TIMING.deadline

    # then it may not write from that moment on, and its work ends
    assert not first.terms[0].holds()
    await until(lambda: not first.works)
    assert first.leadership.health() is False

    # and once the API is back, it leads again in another term
    stage.api.down = False
    await until(lambda: first.works)
    assert first.terms[1].epoch != first.terms[0].epoch


async def test_a_leader_that_was_frozen_finds_out_before_it_does_anything(stage: Stage) -> None:
    # given a leader that stands still while another takes the lease
    first = await stage.start("a")
    await until(lambda: first.works)
    await stage.api.replace(LEASE, {**(stage.api.lease or {}), "spec": lease("b", 2)["spec"]})
    stage.now += 60

    # when it goes on, then it may write nothing, ends its work and follows
    assert not first.terms[0].holds()
    await until(lambda: not first.works)
    await stage.looked()
    assert stage.api.holder == "b"
    assert len(first.terms) == 1


async def test_a_leader_whose_lease_was_taken_ends_at_its_next_look(stage: Stage) -> None:
    first = await stage.start("a")
    await until(lambda: first.works)
    await stage.api.replace(LEASE, {**(stage.api.lease or {}), "spec": lease("b", 2)["spec"]})
    await until(lambda: not first.works)
    assert stage.api.holder == "b"


async def test_a_renewal_without_an_answer_is_looked_up(stage: Stage) -> None:
    # given a leader whose renewals arrive, but whose answers do not
    first = await stage.start("a")
    await until(lambda: first.works)
    stage.api.deaf = True
    await stage.looked()

    # when answers come again in time
    stage.now += TIMING.deadline - 1
    stage.api.deaf = False

    # then it goes on in the same term
    await until(lambda: first.terms[0].until == stage.now + TIMING.deadline)
    assert len(first.terms) == 1


async def test_a_lease_that_is_deleted_by_hand_ends_the_term(stage: Stage) -> None:
    first = await stage.start("a")
    await until(lambda: first.works)
    del stage.api.objects[LEASE, *PLACE]
    await until(lambda: len(first.terms) == 2 and first.works)
    assert first.terms[0].epoch != first.terms[1].epoch


async def test_a_defect_in_leading_gives_the_lease_back_and_shows_in_the_probe(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    # given a leader and one that waits
    first = await stage.start("a")
    await until(lambda: first.works)
    second = await stage.start("b")

    # when leading fails
    first.fail.set()

    # then the other leads, and the first asks to be restarted
    await until(lambda: second.works)
    with pytest.raises(RuntimeError, match="no longer watched"):
        first.leadership.health()
    assert "a defect" in caplog.text


async def test_a_replica_that_looks_no_more_asks_to_be_restarted(stage: Stage) -> None:
    first = await stage.start("a")
    await until(lambda: first.works)
    stage.api.hangs = True
    await stage.looked()
    stage.now += STUCK + 1
    with pytest.raises(RuntimeError, match="no longer watched"):
        first.leadership.health()


async def test_trouble_with_the_lease_is_told_once(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.api.down = True
    await stage.start("a")
    await stage.looked()
    assert caplog.text.count("connection refused") == 1
    assert "Lease viridian-system/viridian" in caplog.text


def lease(holder: str, transitions: int) -> Manifest:
    return {
        "metadata": {"namespace": PLACE[0], "name": PLACE[1], "uid": "0123456789", "resourceVersion": "0"},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": transitions},
    }
