"""What every carrier of traffic does alike, whatever object it is."""

from copy import deepcopy
from typing import Any, cast

import pytest
from tests.controller.fakes import NAMESPACE, FakeApi, model, spec, status

from viridian.api.names import ANNOTATION_EPOCH, Color
from viridian.controller.cache.models import Model
from viridian.controller.routing.router import Site, Split, TrafficRouter
from viridian.controller.routing.routers import GATEWAY_ROUTER, ROUTERS, SERVICE_ROUTER, router_of
from viridian.kube.client import KubeClient
from viridian.kube.errors import Conflict, NotLeading
from viridian.rollout.observed import RouteFacts

BLUE, GREEN = Color.BLUE, Color.GREEN
ALL_STABLE, ALL_CANDIDATE = {BLUE: 100, GREEN: 0}, {BLUE: 0, GREEN: 100}
OURS, LATER = "3-00000000", "4-00000000"
SPECS = {
    GATEWAY_ROUTER: spec(),
    SERVICE_ROUTER: spec(traffic={}, rollout={"type": "BlueGreen"}),
}


class Stage:
    """A model whose candidate, in green, has all traffic, and its children."""

    def __init__(self, router: TrafficRouter) -> None:
        self.router, self.api = router, FakeApi()
        self.model: Model = model(spec=SPECS[router].manifest(), status=status(weight=100))
        self.api.put_children("iris", self.model.owner, ALL_STABLE)
        self.site = Site(cast("KubeClient", self.api), self.model, OURS)

    @property
    def live(self) -> dict[str, Any]:
        return deepcopy(self.api.objects[self.router.kind, NAMESPACE, "iris"])

    @property
    def facts(self) -> RouteFacts:
        facts = self.router.read(self.model, self.live, "2s")
        assert facts is not None
        return facts

    async def move(self, live: dict[str, Any] | None, weights: dict[Color, int]) -> None:
        await self.router.move(self.site, live, Split(weights, weights, "2s"))


@pytest.fixture(params=ROUTERS, ids=lambda router: router.kind.plural)
async def stage(request: pytest.FixtureRequest) -> Stage:
    stage = Stage(request.param)
    await stage.move(stage.live, ALL_CANDIDATE)
    return stage


@pytest.mark.parametrize("router", ROUTERS, ids=lambda router: router.kind.plural)
def test_each_spec_has_one_carrier(router: TrafficRouter) -> None:
    assert [other for other in ROUTERS if other.carries(SPECS[router])] == [router]
    assert router_of(SPECS[router]) is router


async def test_what_was_moved_is_read_back(stage: Stage) -> None:
    assert stage.facts.gives(ALL_CANDIDATE, ALL_CANDIDATE) or stage.facts.split(GREEN) == 100
    assert stage.facts.follows_spec
    assert stage.facts.aborted is None


async def test_a_rollback_is_marked_and_made_once(stage: Stage) -> None:
    # when a breach is rolled back, twice
    assert await stage.router.roll_back(stage.site, BLUE, "iris-2")
    written = len(stage.api.writes)
    assert await stage.router.roll_back(stage.site, BLUE, "iris-2")

    # then all traffic is on stable, with the mark, and the second time wrote nothing
    assert (stage.facts.split(BLUE), stage.facts.aborted) == (100, "iris-2")
    assert len(stage.api.writes) == written


async def test_what_is_not_ours_is_not_rolled_back(stage: Stage) -> None:
    stage.api.objects[stage.router.kind, NAMESPACE, "iris"]["metadata"]["ownerReferences"] = []
    written = len(stage.api.writes)
    assert not await stage.router.roll_back(stage.site, BLUE, "iris-2")
    assert len(stage.api.writes) == written


async def test_nothing_is_written_over_a_later_term(stage: Stage) -> None:
    # given an object that a later leader has marked
    live = stage.live
    live["metadata"].setdefault("annotations", {})[ANNOTATION_EPOCH] = LATER
    stage.api.put(stage.router.kind, live)
    written = len(stage.api.writes)

    # when this one writes, then each write is given up before it is sent
    for write in (
        stage.move(stage.live, ALL_STABLE),
        stage.router.follow(stage.site, stage.live, ALL_STABLE, "2s"),
        stage.router.roll_back(stage.site, BLUE, "iris-2"),
    ):
        with pytest.raises(NotLeading):
            await write
    assert len(stage.api.writes) == written


async def test_a_write_over_what_a_new_leader_has_fenced_does_not_land(stage: Stage) -> None:
    # given what this leader has read, and the fence of a later one
    read = stage.live
    await stage.router.fence(Site(stage.site.client, stage.model, LATER), stage.live)

    # when this one writes over it, then it is too late
    with pytest.raises(Conflict):
        await stage.move(read, ALL_STABLE)
    assert stage.facts.split(GREEN) == 100


async def test_an_edit_is_seen_and_followed_without_moving_the_traffic(stage: Stage) -> None:
    # given an object that somebody has edited
    live = stage.live
    if stage.router is GATEWAY_ROUTER:
        live["spec"]["rules"][0]["timeouts"] = {"request": "9s"}
    else:
        live["spec"]["publishNotReadyAddresses"] = True
    stage.api.put(stage.router.kind, live)
    assert not stage.facts.follows_spec

    # when the spec is followed, then it is as it should be, and users are where they were
    await stage.router.follow(stage.site, stage.live, ALL_CANDIDATE, "2s")
    assert stage.facts.follows_spec
    assert stage.facts.split(GREEN) == 100


async def test_at_rest_everything_goes_to_stable(stage: Stage) -> None:
    assert not stage.router.is_at_rest(stage.model, BLUE, stage.live)
    await stage.move(stage.live, ALL_STABLE)
    live = stage.live
    assert stage.router.is_at_rest(stage.model, BLUE, live)
