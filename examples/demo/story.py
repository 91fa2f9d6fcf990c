"""The story: v1 is stable, v2 is promoted, v3 is rolled back, v7 gets no traffic, and clients are always there."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .client import LoadProcess, await_first_answer
from .cluster import NAMESPACES, ApiError, Cluster, events, model_deployments
from .errors import DemoError
from .metrics import Prometheus
from .records import Answer
from .report import Applied, ErrorCounts
from .settings import BAD, BASELINE, GOOD, NAME, NAMESPACE, WRONG, Settings
from .timeline import Timeline
from .view import Picture, Screen
from .watch import NotInTimeError, Watcher

MANIFEST = Path(__file__).with_name("digits.yaml")
REDRAW = 0.25
ASK_PROMETHEUS = 1.0
DEADLINES = {"namespace": 120, "route": 30, "load": 30, BASELINE: 180, GOOD: 240, BAD: 180, WRONG: 180}
"""Seconds that each part of the story may take."""
ANSWERS_BEFORE, ANSWERS_AFTER = 300, 600
"""Requests to see before the first rollout and after the last."""
CHANGES = {
    BASELINE: "A logistic regression on 150 images",
    GOOD: "A neural network on all images",
    BAD: "Its confidence calibrated by the amount of ink",
    WRONG: "Images read column by column",
}
CHECKS = {BAD: {"smoke": False}, WRONG: {"golden": {"minAgreement": "80%"}}}
"""What a version has to pass before it gets traffic. The bad one is left to the guards: smoke would find it."""
LAST_EVENTS = 8


@dataclass(frozen=True)
class Seen:
    """What the story leaves behind for the report."""

    timeline: Timeline
    answers: list[Answer]
    good: Applied
    bad: Applied
    wrong: Applied
    errors: ErrorCounts


def manifest_for(version: str, image: str) -> dict[str, Any]:
    """The ModelDeployment of one version."""
    manifest: dict[str, Any] = deepcopy(yaml.safe_load(MANIFEST.read_text()))
    manifest["metadata"] |= {"name": NAME, "namespace": NAMESPACE}
    manifest["spec"]["model"] |= {
        "version": version,
        "uri": f"image:///models/{NAME}/{version}",
        "changes": CHANGES[version],
    }
    manifest["spec"]["serving"]["image"] = image
    manifest["spec"]["checks"] = CHECKS.get(version, {})
    return manifest


async def play(settings: Settings, screen: Screen) -> Seen:
    """Play the whole story.

    Raises:
        DemoError: it cannot go on; the text says why.
    """
    async with Cluster(settings.kubeconfig) as cluster, Prometheus(settings.prometheus, NAMESPACE, NAME) as prometheus:
        await check_cluster(cluster)
        await renew_namespace(cluster, screen)
        watcher = Watcher(cluster, NAMESPACE, NAME)
        picture = Picture(watcher.timeline, time.time())
        stages = Stages(settings, cluster, watcher, picture, screen)
        async with (
            in_background(watcher.watch_model(), watcher.watch_route(), redraw(screen, picture, watcher)),
            in_background(follow_metrics(prometheus, picture)),
        ):
            return await stages.run(prometheus)


async def check_cluster(cluster: Cluster) -> None:
    """See that the cluster is there and knows ModelDeployments."""
    try:
        await cluster.list(model_deployments(NAMESPACE))
    except ApiError as error:
        if error.status != 404:
            raise
        raise DemoError(
            "The cluster does not know ModelDeployments: install Viridian's chart first; `make demo` does."
        ) from error


async def renew_namespace(cluster: Cluster, screen: Screen) -> None:
    """Make the namespace anew, and with it everything in it."""
    if await cluster.delete(NAMESPACES, NAMESPACE):
        screen.say(f"Removing the namespace {NAMESPACE} of an earlier run")
        try:
            async with asyncio.timeout(DEADLINES["namespace"]):
                async with aclosing(cluster.follow(NAMESPACES, NAMESPACE)) as changes:
                    async for namespace in changes:
                        if namespace is None:
                            break
        except TimeoutError as error:
            raise DemoError(
                f"The namespace {NAMESPACE} is still being deleted after {DEADLINES['namespace']} s: `kubectl describe"
                f" namespace {NAMESPACE}` says what it waits for."
            ) from error
    await cluster.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})


class Stages:
    """The parts of the story, one after the other."""

    def __init__(
        self, settings: Settings, cluster: Cluster, watcher: Watcher, picture: Picture, screen: Screen
    ) -> None:
        self._settings = settings
        self._cluster = cluster
        self._watcher = watcher
        self._picture = picture
        self._screen = screen

    async def run(self, prometheus: Prometheus) -> Seen:
        """Tell the story to its end."""
        await self._apply(BASELINE, f"{BASELINE}: the first version, {CHANGES[BASELINE].lower()}")
        await self._until(BASELINE, lambda timeline: _stable(timeline, BASELINE), f"{BASELINE} becoming Stable")
        await await_first_answer(self._settings, DEADLINES["route"])

        async with LoadProcess(self._settings) as load, in_background(load.follow()):
            self._picture.totals = load.totals
            await load.until(ANSWERS_BEFORE, DEADLINES["load"])

            good = await self._apply(GOOD, f"{GOOD}: better, {CHANGES[GOOD].lower()}; it ought to be promoted")
            await self._until(GOOD, lambda timeline: _decided(timeline, GOOD), f"the promotion of {GOOD}")

            text = f"{BAD}: fails on part of real images, and its checks are off; it ought to be rolled back"
            bad = await self._apply(BAD, text)
            await self._until(BAD, lambda timeline: _decided(timeline, BAD), f"taking {BAD} back")
            errors = await self._errors(prometheus, BAD)

            about = "answers quickly, with status 200, and wrongly; a check ought to stop it before any request"
            wrong = await self._apply(WRONG, f"{WRONG}: {about}")
            await self._until(WRONG, lambda timeline: _decided(timeline, WRONG), f"the check of {WRONG}")
            await load.until(load.totals.requests + ANSWERS_AFTER, DEADLINES["load"])
        return Seen(self._watcher.timeline, load.answers, good, bad, wrong, errors)

    async def _apply(self, version: str, stage: str) -> Applied:
        """Apply a version and await that the operator has looked at it."""
        self._picture.stage = stage
        self._screen.say(stage)
        at = time.time()
        applied = await self._cluster.apply(model_deployments(NAMESPACE), manifest_for(version, self._settings.image))
        generation = applied["metadata"]["generation"]
        await self._until(
            version,
            lambda timeline: timeline.status.observed_generation >= generation,
            f"the operator noticing {version}",
        )
        return Applied(version, at)

    async def _until(self, version: str, happened: Callable[[Timeline], bool], what: str) -> None:
        try:
            await self._watcher.until(happened, DEADLINES[version], what)
        except NotInTimeError as error:
            raise DemoError(f"{error}\n{await self._explain()}") from error

    async def _errors(self, prometheus: Prometheus, version: str) -> ErrorCounts:
        roles = (seen.status.role_of(version) for seen in self._watcher.timeline.statuses)
        revision = next((role.revision for role in roles if role), None)
        return await prometheus.error_counts(revision) if revision else ErrorCounts()

    async def _explain(self) -> str:
        """What the resource and its namespace say about why it does not go on."""
        status = self._watcher.timeline.status
        if not status.phase:
            first = "The operator has written no status yet: does its pod run?"
        else:
            first = f"The phase is {status.phase}. {status.verdict}"
        listed = await self._cluster.list(events(NAMESPACE))
        recent = sorted(listed["items"], key=_event_time)[-LAST_EVENTS:]
        return "\n".join(
            [
                first,
                *(f"  condition {condition}" for condition in status.conditions),
                *(f"  event {_event_line(event)}" for event in recent),
            ]
        )


def _event_time(event: dict[str, Any]) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"])


def _event_line(event: dict[str, Any]) -> str:
    target = event["involvedObject"]
    return f"{target['kind']}/{target['name']}: {event.get('reason', '')}: {event.get('message', '').strip()}"


def _stable(timeline: Timeline, version: str) -> bool:
    status = timeline.status
    return status.phase == "Stable" and status.stable is not None and status.stable.version == version


def _decided(timeline: Timeline, version: str) -> bool:
    """Whether a rollout has come to an end, whichever: the report says whether it was the right one."""
    finished = any(entry.version == version for entry in timeline.status.history)
    return _stable(timeline, version) or (finished and timeline.status.phase in {"RolledBack", "Expired"})


async def redraw(screen: Screen, picture: Picture, watcher: Watcher) -> None:
    """Show the picture at every change, and now and then for what counts on; runs until cancelled."""
    while True:
        screen.show(picture)
        await watcher.change(REDRAW)


async def follow_metrics(prometheus: Prometheus, picture: Picture) -> None:
    """Ask Prometheus again and again; runs until cancelled. What it cannot say is said in the picture."""
    while True:
        try:
            picture.traffic = await prometheus.traffic()
            picture.metrics_problem = ""
        except DemoError as error:
            picture.metrics_problem = str(error)
        await asyncio.sleep(ASK_PROMETHEUS)


@asynccontextmanager
async def in_background(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run coroutines beside the body: if one fails, so does the body; when the body ends, they are cancelled."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
            yield
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as failures:
        # What a person can act on needs no group around it; the first is the cause, the others came of it.
        if all(isinstance(failure, DemoError) for failure in failures.exceptions):
            raise failures.exceptions[0] from failures
        raise
