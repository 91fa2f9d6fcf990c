"""Notifications against a real HTTP receiver: retried, bounded, not sent again, and only where they may go."""

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from tests.controller.fakes import NAMESPACE, FakeApi, model, spec
from tests.controller.notifying.receiver import Receiver
from tests.metrics.server import Server
from tests.waiting import until

from viridian.api.names import Color
from viridian.api.status import ColorStatus, Ending, HistoryEntry, ModelDeploymentStatus, Phase
from viridian.api.status.changes import evolve
from viridian.controller.cache.models import Model, Models
from viridian.controller.notifying import outbox
from viridian.controller.notifying.cost import RolloutCosts
from viridian.controller.notifying.notifier import Notifier
from viridian.controller.runtime.jobs import end
from viridian.controller.runtime.notification_settings import NotificationSettings
from viridian.kube.backoff import Backoff
from viridian.kube.client import KubeClient
from viridian.kube.errors import error_for
from viridian.kube.resources import CONFIG_MAP, MODEL_DEPLOYMENT, SECRET, Kind
from viridian.metrics.connection import Connection

NOW = datetime.now(UTC)
REST = ModelDeploymentStatus(phase=Phase.STABLE)
ROLLING = ModelDeploymentStatus(
    phase=Phase.PROGRESSING,
    candidate=ColorStatus(color=Color.GREEN, revision="iris-2", version="v2"),
    started_at=NOW,
)
ENDING = Ending(phase=Phase.ROLLED_BACK, reason="GuardBreached", message="12 of 40 failed", reverted_at=NOW)
TURNED = evolve(ROLLING, phase=Phase.ROLLING_BACK, ending=ENDING)


class Api(FakeApi):
    """An API server that may deny reading Secrets."""

    denied = False

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any] | None:
        if kind is SECRET and self.denied:
            raise error_for(403, "secrets is forbidden")
        return await super().get(kind, namespace, name)


class Stage:
    """A model, and a notifier that can be started again."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver, self.api, self.models = receiver, Api(), Models()
        self.settings: dict[str, Any] = {"allowedHosts": [receiver.host]}
        self.environment: dict[str, str] = {}
        self.warned: list[tuple[str, str]] = []
        self.counts: Counter[str] = Counter()
        self.tasks: list[asyncio.Task[None]] = []
        self.costs: RolloutCosts | None = None
        self.apply([{"url": receiver.url}])

    def apply(self, notify: list[dict[str, Any]], status: ModelDeploymentStatus = REST) -> Model:
        manifest = model(status=status.manifest()).manifest
        self.api.objects.pop((MODEL_DEPLOYMENT, NAMESPACE, "iris"), None)
        self.api.put(MODEL_DEPLOYMENT, {**manifest, "spec": {**spec().manifest(), "notify": notify}})
        manifest = self.api.objects[MODEL_DEPLOYMENT, NAMESPACE, "iris"]
        self.models.forget((NAMESPACE, "iris"), manifest["metadata"]["uid"])
        self.model = self.models.see(manifest)
        return self.model

    async def start(self) -> Notifier:
        made = Notifier(
            cast("KubeClient", self.api),
            self.models,
            NotificationSettings.model_validate(self.settings),
            self.environment,
            (NAMESPACE, "viridian-notifications"),
            self._warn,
            lambda result: self.counts.update([result]),
            self.costs,
        )
        known = asyncio.Event()
        known.set()
        self.tasks.append(asyncio.create_task(made.run(known)))
        await asyncio.sleep(0.05)
        self.notifier = made
        return made

    async def stop(self) -> None:
        await end(self.tasks)
        self.tasks.clear()

    async def _warn(self, _model: Model, reason: str, message: str) -> None:
        self.warned.append((reason, message))

    @property
    def settled(self) -> int:
        return len((self.api.objects.get((CONFIG_MAP, NAMESPACE, "viridian-notifications")) or {}).get("data") or {})


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr(outbox, "BACKOFF", Backoff(0.01, 0.02))
    async with Receiver() as receiver:
        made = Stage(receiver)
        yield made
        await made.stop()


async def test_a_rollback_arrives_as_a_cloud_event(stage: Stage) -> None:
    # given a model in a rollout
    notifier = await stage.start()
    # when it is rolled back
    notifier.turned(stage.model, ROLLING, TURNED)
    await until(lambda: bool(stage.receiver.events))
    # then the receiver has what CloudEvents 1.0 asks for, and the reason
    [event] = stage.receiver.events
    assert stage.receiver.headers["Content-Type"].startswith("application/cloudevents+json")
    assert (event["specversion"], event["type"]) == ("1.0", "dev.viridian.modeldeployment.RolledBack")
    assert event["source"].endswith(f"/namespaces/{NAMESPACE}/modeldeployments/iris")
    assert event["data"].items() >= {"reason": "GuardBreached", "version": "v2", "message": "12 of 40 failed"}.items()


def priced(value: str) -> list[dict[str, Any]]:
    return [{"metric": {"currency": "EUR"}, "value": [0, value]}]


async def test_the_end_of_a_rollout_says_what_it_cost(stage: Stage) -> None:
    # given prices, and a Prometheus that knows what the second color cost
    server = Server()
    server.answers("vector", priced("0.0421"))
    with server.running() as url:
        stage.costs = RolloutCosts(Connection(url))
        notifier = await stage.start()
        # when a rollout begins, and is rolled back
        notifier.turned(stage.model, REST, ROLLING)
        notifier.turned(stage.model, ROLLING, TURNED)
        await until(lambda: len(stage.receiver.events) == 2)
    # then only its end has a cost, for people and for programs
    began, ended = (event["data"] for event in stage.receiver.events)
    assert "cost" not in began
    assert ended["cost"] == {"amount": 0.0421, "currency": "EUR"}
    assert ended["message"] == "12 of 40 failed (cost on top: 0.0421 EUR)"
    [asked] = server.asked
    assert f"@ {NOW.timestamp():.0f}" in asked["query"][0]


@pytest.mark.parametrize("knows", [priced("0"), priced("NaN"), [{"values": []}], [], None])
async def test_nobody_waits_for_a_cost_that_is_not_known(stage: Stage, knows: list[dict[str, Any]] | None) -> None:
    # given a Prometheus that knows of none, or does not answer
    server = Server()
    server.answers("vector", knows)
    server.slow = knows is None
    with server.running() as url:
        stage.costs = RolloutCosts(Connection(url, timeout=timedelta(seconds=0.2)))
        notifier = await stage.start()
        # when a rollout is rolled back, then that is told without
        notifier.turned(stage.model, ROLLING, TURNED)
        await until(lambda: bool(stage.receiver.events))
    [event] = stage.receiver.events
    assert event["data"]["message"] == "12 of 40 failed"
    assert "cost" not in event["data"]
    assert server.asked


async def test_receivers_and_tries_share_one_question_for_the_cost(stage: Stage) -> None:
    # given two receivers, of which one accepts the third try
    server = Server()
    server.answers("vector", priced("0.0421"))
    stage.receiver.answers = [500, 500]
    async with Receiver() as other:
        stage.settings["allowedHosts"].append(other.host)
        stage.apply([{"url": stage.receiver.url}, {"url": other.url}])
        with server.running() as url:
            stage.costs = RolloutCosts(Connection(url))
            notifier = await stage.start()
            # when a rollout is rolled back
            notifier.turned(stage.model, ROLLING, TURNED)
            await until(lambda: bool(stage.receiver.events and other.events))
        await stage.stop()
    # then both are told its cost, and Prometheus was asked once
    assert [each.events[0]["data"]["cost"]["amount"] for each in (stage.receiver, other)] == [0.0421, 0.0421]
    assert stage.receiver.asked == 3
    assert len(server.asked) == 1


async def test_the_entry_in_the_history_is_the_same_notification(stage: Stage) -> None:
    notifier = await stage.start()
    entry = HistoryEntry(
        revision="iris-2", version="v2", result="RolledBack", message="…", started_at=NOW, ended_at=NOW
    )
    # when the rollback is over, some time after it was announced
    notifier.turned(stage.model, REST, ROLLING)
    notifier.turned(stage.model, ROLLING, TURNED)
    notifier.turned(stage.model, TURNED, evolve(REST, phase=Phase.ROLLED_BACK, history=[entry]))
    # then it is not told twice
    await until(lambda: len(stage.receiver.events) == 2)
    await until(lambda: len(notifier) == 0)
    assert stage.receiver.kinds == ["RolloutStarted", "RolledBack"]


async def test_what_fails_is_tried_again_with_the_same_id(stage: Stage) -> None:
    # given a receiver that fails twice
    stage.receiver.answers = [500, 503]
    notifier = await stage.start()
    # when something happens
    notifier.turned(stage.model, ROLLING, TURNED)
    # then it arrives with the third try
    await until(lambda: stage.counts["sent"] == 1)
    assert (stage.receiver.asked, stage.counts["retried"], len(stage.receiver.events)) == (3, 2, 1)
    assert len(set(stage.receiver.ids)) == 1


async def test_a_refusal_is_final_and_told_by_an_event(stage: Stage) -> None:
    stage.receiver.answers = [404]
    notifier = await stage.start()
    notifier.turned(stage.model, ROLLING, TURNED)
    await until(lambda: bool(stage.warned))
    assert stage.warned == [
        ("NotificationFailed", "RolledBack was not delivered to spec.notify[0]: it answered with status 404")
    ]
    assert (stage.receiver.asked, stage.counts["failed"]) == (1, 1)


async def test_a_redirect_is_not_followed(stage: Stage) -> None:
    stage.receiver.answers = [307]
    notifier = await stage.start()
    notifier.turned(stage.model, ROLLING, TURNED)
    await until(lambda: bool(stage.warned))
    assert (stage.receiver.asked, stage.receiver.events) == (1, [])


async def test_what_is_old_is_given_up(stage: Stage) -> None:
    # given a receiver that never accepts, and a rollback of long ago
    stage.receiver.answers = [500] * 100
    notifier = await stage.start()
    old = evolve(ROLLING, started_at=NOW - timedelta(hours=3))
    ending = evolve(ENDING, reverted_at=NOW - timedelta(hours=2))
    # when it is told of, then it is tried once
    notifier.turned(stage.model, old, evolve(old, ending=ending))
    await until(lambda: stage.counts["failed"] == 1)
    assert stage.receiver.asked == 1


async def test_a_receiver_that_hangs_holds_up_nobody(stage: Stage) -> None:
    # given two receivers, of which one never answers
    async with Receiver() as good:
        stage.receiver.hangs = True
        stage.settings["allowedHosts"].append(good.host)
        stage.apply([{"url": stage.receiver.url}, {"url": good.url}])
        notifier = await stage.start()
        # when something happens, then whoever tells of it goes on at once
        notifier.turned(stage.model, ROLLING, TURNED)
        assert (stage.receiver.asked, good.asked) == (0, 0)
        # and the other receiver has it
        await until(lambda: good.kinds == ["RolledBack"] and len(notifier) == 1)
        assert stage.receiver.events == []
        await stage.stop()


async def test_no_more_than_a_bound_waits_for_one_receiver(stage: Stage) -> None:
    stage.receiver.hangs = True
    notifier = await stage.start()
    for second in range(outbox.MOST_OF_ONE + 20):
        begun = evolve(ROLLING, started_at=NOW + timedelta(seconds=second))
        notifier.turned(stage.model, REST, begun)
    assert (len(notifier), stage.counts["dropped"]) == (outbox.MOST_OF_ONE, 20)


async def test_a_receiver_is_told_only_what_it_wants(stage: Stage) -> None:
    stage.apply([{"url": stage.receiver.url, "events": ["RolledBack"]}])
    notifier = await stage.start()
    notifier.turned(stage.model, REST, ROLLING)
    notifier.turned(stage.model, ROLLING, TURNED)
    await until(lambda: bool(stage.receiver.events))
    assert stage.receiver.kinds == ["RolledBack"]


async def test_a_new_leader_sends_nothing_again(stage: Stage) -> None:
    # given a rollback that was delivered
    notifier = await stage.start()
    stage.apply([{"url": stage.receiver.url}], TURNED)
    notifier.turned(stage.model, ROLLING, TURNED)
    await until(lambda: stage.settled == 1)
    # when the operator is restarted
    await stage.stop()
    await stage.start()
    # then the start of that rollout, which nobody was told of, comes, and the rollback does not come again
    await until(lambda: stage.settled == 2)
    assert stage.receiver.kinds == ["RolledBack", "RolloutStarted"]


async def test_a_new_leader_sends_what_the_earlier_one_could_not(stage: Stage) -> None:
    # given a receiver that is away while a model is rolled back
    stage.receiver.answers = [500] * 1000
    notifier = await stage.start()
    stage.apply([{"url": stage.receiver.url, "events": ["RolledBack"]}], TURNED)
    notifier.turned(stage.model, ROLLING, TURNED)
    await until(lambda: stage.receiver.asked > 0)
    # when the operator ends, the receiver is back, and another operator leads
    await stage.stop()
    stage.receiver.answers.clear()
    await stage.start()
    # then it is told
    await until(lambda: stage.receiver.kinds == ["RolledBack"])


async def test_a_host_that_is_not_allowed_is_never_called(stage: Stage) -> None:
    # given an administrator who has allowed none, as is the default
    stage.settings = {}
    notifier = await stage.start()
    # when something happens
    notifier.turned(stage.model, ROLLING, TURNED)
    # then the user reads why nobody was told
    await until(lambda: bool(stage.warned))
    assert (
        "are not allowed: an administrator can add it to the chart's notifications.allowedHosts" in stage.warned[0][1]
    )
    assert (stage.receiver.asked, stage.counts["denied"]) == (0, 1)


async def test_receivers_of_the_chart_are_told_of_all_models(stage: Stage) -> None:
    # given a receiver whose address is in the environment, as a Secret puts it there
    stage.environment = {"VIRIDIAN_NOTIFY_URL_0": stage.receiver.url}
    stage.settings = {"receivers": [{"variable": "VIRIDIAN_NOTIFY_URL_0", "events": ["RolledBack"]}]}
    stage.apply([])
    notifier = await stage.start()
    notifier.turned(stage.model, ROLLING, TURNED)
    await until(lambda: stage.receiver.kinds == ["RolledBack"])


def secret(url: str, labels: dict[str, str]) -> dict[str, Any]:
    data = {"url": base64.b64encode(url.encode()).decode()}
    metadata = {"name": "alerts", "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


async def test_an_address_with_a_token_comes_from_a_secret(stage: Stage) -> None:
    stage.apply([{"secretRef": {"name": "alerts"}}])
    stage.api.put(SECRET, secret(f"{stage.receiver.url}?token=abc", {"viridian.dev/notifications": "true"}))
    notifier = await stage.start()
    notifier.turned(stage.model, ROLLING, TURNED)
    await until(lambda: stage.receiver.kinds == ["RolledBack"])


async def test_a_secret_without_the_label_is_not_used(stage: Stage) -> None:
    # given a Secret that is not meant for this, which the model's author may be unable to read
    stage.apply([{"secretRef": {"name": "alerts"}}])
    stage.api.put(SECRET, secret(stage.receiver.url, {}))
    notifier = await stage.start()
    notifier.turned(stage.model, ROLLING, TURNED)
    await until(lambda: bool(stage.warned))
    assert "does not have the label viridian.dev/notifications: 'true'" in stage.warned[0][1]
    assert stage.receiver.asked == 0


async def test_without_the_right_to_secrets_the_user_reads_which_setting_is_missing(stage: Stage) -> None:
    stage.apply([{"secretRef": {"name": "alerts"}}])
    stage.api.denied = True
    notifier = await stage.start()
    notifier.turned(stage.model, ROLLING, TURNED)
    await until(lambda: bool(stage.warned))
    assert "set the chart's notifications.readSecrets" in stage.warned[0][1]


async def test_a_bug_in_a_notification_keeps_nobody_from_going_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = await stage.start()
    monkeypatch.setattr(notifier, "_put", lambda *_: 1 / 0)
    notifier.turned(stage.model, ROLLING, TURNED)
    assert "nobody is notified of its turn" in caplog.text
