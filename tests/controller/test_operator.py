"""The parts joined: whose trouble keeps whom from being looked after."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from tests.controller.fakes import NAMESPACE, FakeApi, model
from tests.waiting import until

from viridian.controller import operator as parts
from viridian.controller.operator import Operator
from viridian.controller.resync import resync
from viridian.controller.runtime.configuration import Configuration
from viridian.controller.runtime.jobs import end
from viridian.controller.runtime.leadership import Term
from viridian.kube import reflector
from viridian.kube.backoff import Backoff
from viridian.kube.client import Manifest, Page
from viridian.kube.errors import KubeError, error_for
from viridian.kube.resources import DEPLOYMENT, GATEWAY, MODEL_DEPLOYMENT, Kind
from viridian.workloads.model_cache import ModelCache
from viridian.workloads.resources import DefaultResources

OTHER = "team-b"
DENIED, BUSY = error_for(403, "forbidden in team-b"), error_for(503, "team-b is busy")


class Api(FakeApi):
    """Lists of some kinds fail in the other namespace; looks are counted by namespace."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: dict[Kind | None, KubeError] = {}
        self.lists: Counter[str] = Counter()
        self.gets: Counter[str] = Counter()
        self.put(GATEWAY, {"kind": "Gateway", "metadata": {"name": "public"}})

    async def __aenter__(self) -> "Api":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        self.gets[namespace] += 1
        return await super().get(kind, namespace, name)

    async def pages(self, kind: Kind, namespace: str, *_: str, metadata_only: bool = False) -> AsyncIterator[Page]:
        self.lists[namespace] += 1
        error = self.fails.get(kind, self.fails.get(None))
        if namespace == OTHER and error is not None:
            raise error
        yield Page([found for (of, place, _), found in self.objects.items() if (of, place) == (kind, namespace)], "5")

    async def watch(self, *_: object) -> AsyncIterator[tuple[str, Manifest]]:
        await asyncio.sleep(1000)
        yield "BOOKMARK", {}


class Stage:
    """An operator for two namespaces, which begins to lead when it is told to."""

    def __init__(self) -> None:
        self.api = Api()
        self.operator = Operator(
            Configuration(
                prometheus_url="http://127.0.0.1:1",
                user_query_url="",
                scrape_interval=timedelta(seconds=5),
                serving_image="serving:1",
                default_resources=DefaultResources(),
                namespaces=(NAMESPACE, OTHER),
                sweep_period=timedelta(minutes=10),
                log_level="INFO",
                probe_endpoint="http://127.0.0.1:8080/healthz",
                lease=("viridian", "viridian"),
                identity="me",
                allow_model_code=True,
                model_cache=ModelCache(),
                smoke=True,
            )
        )
        self.work: asyncio.Task[None] | None = None

    def apply(self, namespace: str = NAMESPACE, name: str = "iris") -> Manifest:
        """Let a model be made, and its event come."""
        manifest = model(name, uid=f"{namespace}-{name}").manifest
        times = {"generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}
        self.api.put(
            MODEL_DEPLOYMENT, {**manifest, "metadata": {**manifest["metadata"], **times, "namespace": namespace}}
        )
        stored = self.api.objects[MODEL_DEPLOYMENT, namespace, name]
        self.operator.on_model_event("ADDED", stored)
        return stored

    def lead(self) -> None:
        self.work = asyncio.create_task(self.operator.lead(Term("1-x", float("inf"), lambda: 0.0)))

    def has_deployment(self, namespace: str) -> bool:
        return (DEPLOYMENT, namespace, "iris-blue") in self.api.objects


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    made = Stage()
    monkeypatch.setattr(parts, "KubeClient", lambda *_, **__: made.api)
    monkeypatch.setattr(parts, "SOON", 0.01)
    monkeypatch.setattr(resync, "RETRY", timedelta(milliseconds=5))
    for module in (resync, reflector):
        monkeypatch.setattr(module, "GRACE", 0.1)
    monkeypatch.setattr(reflector, "BACKOFF", Backoff(0.01, 0.01))
    yield made
    if made.work is not None:
        await end([made.work])


async def test_a_namespace_that_may_not_be_read_keeps_nobody_from_looking_after_the_others(stage: Stage) -> None:
    # given a namespace that went with its Role
    stage.apply()
    stage.api.fails[None] = DENIED
    # when a term begins
    stage.lead()
    # then the models of the other one are looked after
    await until(lambda: stage.has_deployment(NAMESPACE))


async def test_a_namespace_that_does_not_answer_is_waited_for(stage: Stage) -> None:
    # given one whose models may be in the way of the others'
    stage.apply()
    stage.api.fails[MODEL_DEPLOYMENT] = BUSY
    # when it does not answer for longer than a denial would be waited for
    stage.lead()
    await asyncio.sleep(0.4)
    await until(lambda: stage.api.lists[OTHER] > 3)
    # then nothing is looked at
    assert not stage.api.gets
    # and when it answers, everything is
    stage.api.fails.clear()
    await until(lambda: stage.has_deployment(NAMESPACE))


async def test_only_the_models_of_a_namespace_wait_for_its_deployments(stage: Stage) -> None:
    # given a namespace whose Deployments cannot be listed
    for namespace in (NAMESPACE, OTHER):
        stage.apply(namespace)
    stage.api.fails[DEPLOYMENT] = BUSY
    # when a term begins, then only the other one's models are looked after
    stage.lead()
    await until(lambda: stage.has_deployment(NAMESPACE))
    assert stage.api.gets[OTHER] == 0
    # and once they are listed, all are
    stage.api.fails.clear()
    await until(lambda: stage.has_deployment(OTHER))


async def test_nothing_piles_up_while_another_operator_leads(stage: Stage) -> None:
    # given an operator that stands by, and models that come and go
    for number in range(3):
        stage.operator.on_model_event("DELETED", stage.apply(name=f"passing-{number}"))
    stage.apply()
    queue: Any = stage.operator.queue
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.take(), 0.01)
    # when it comes to lead, then it looks after those that are there
    stage.lead()
    await until(lambda: stage.has_deployment(NAMESPACE))
