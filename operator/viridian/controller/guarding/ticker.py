"""The one ticker: asks Prometheus for all moving models at once, rolls breaches back on the spot, wakes the workers.

Of all writes it makes only rollbacks, past the queue, so that nothing that is being done elsewhere delays them.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from viridian.api.errors import InvalidSpec
from viridian.api.model_key import ModelKey
from viridian.api.names import Color
from viridian.api.status import Phase
from viridian.controller.cache.models import Model, Models
from viridian.controller.routing.router import Site
from viridian.controller.routing.routers import router_of
from viridian.controller.runtime.jobs import end
from viridian.controller.runtime.queue import WorkQueue
from viridian.guards.config import bounds
from viridian.guards.spec import guard_config
from viridian.kube.client import KubeClient
from viridian.kube.errors import KubeError
from viridian.metrics.clocks import without_clocks_ahead
from viridian.metrics.connection import MetricsError
from viridian.metrics.prometheus import Prometheus, Samples, trusted
from viridian.rollout.context import CLOCK_STOPS

from .monitor import GuardMonitor, GuardSession, blaming
from .own_pods import OwnPods
from .rewind import Past, Rewind

LOG = logging.getLogger(__name__)

LONGEST_TICK = timedelta(seconds=1)
WAITS = timedelta(seconds=5)
"""Between two looks of workers at a model that waits for a person or is watched after its promotion; its guards are
asked on every tick all the same."""


class Ticker:
    """Looks at everything that moves, at least once a second."""

    def __init__(
        self,
        client: KubeClient,
        prometheus: Prometheus,
        models: Models,
        monitor: GuardMonitor,
        pods: OwnPods,
        queue: WorkQueue[ModelKey],
        interval: timedelta,
        epoch: str,
        ticked: Callable[[float, bool], None] = lambda _seconds, _went_well: None,
    ) -> None:
        """Join the parts that a tick needs; `interval` is the time between two scrapes, `epoch` our term.

        `ticked` is called after each tick with the seconds that it took, and whether it went well.
        """
        self._ticked = ticked
        self._client, self._prometheus = client, prometheus
        self._models, self._monitor, self._pods, self._queue, self._epoch = models, monitor, pods, queue, epoch
        self._rewind = Rewind(prometheus, pods, interval.total_seconds())
        self._interval = interval.total_seconds()
        self._period = min(LONGEST_TICK, interval / 2).total_seconds()
        self._past: tuple[Mapping[ModelKey, float], asyncio.Task[dict[ModelKey, Past]]] | None = None
        self._rollbacks: dict[ModelKey, asyncio.Task[None]] = {}
        self._woken: dict[ModelKey, float] = {}
        self._last = asyncio.get_running_loop().time()

    @property
    def age(self) -> float:
        """Seconds since the last tick ended; a healthy ticker stays far below a minute."""
        return asyncio.get_running_loop().time() - self._last

    async def run(self) -> None:
        """Tick until cancelled."""
        clock = asyncio.get_running_loop().time
        try:
            while True:
                begun = clock()
                try:
                    await self.tick()
                    self._last = clock()
                    self._ticked(self._last - begun, True)
                except Exception:  # the ticker guards every rollout: one bad tick must not end it
                    LOG.exception("a tick failed; next try in %.1f s", self._period)
                    self._ticked(clock() - begun, False)
                await asyncio.sleep(self._period)
        finally:
            await end([*self._rollbacks.values(), *([self._past[1]] if self._past is not None else [])])

    async def tick(self) -> None:
        """One look at all moving models."""
        moving = []
        for model in self._models.moving():
            if _is_readable(model):
                moving.append(model)
            else:
                self._queue.add(model.key)  # the worker tells the user what is wrong
        if not moving:
            return
        now = datetime.now(UTC)
        for model in moving:
            self._monitor.sync_session(model.key, model.status, now)
        try:
            await self._judge(moving)
        except MetricsError as error:
            for model in moving:
                self._note_trouble(model, str(error))
        finally:
            self._wake(moving)

    def _wake(self, moving: Sequence[Model]) -> None:
        """Let workers look at what moves. Each look costs a dozen reads, and a person may be waited for for a week."""
        now, woken = asyncio.get_running_loop().time(), {}
        for model in moving:
            last = self._woken.get(model.key, -math.inf)
            due = not _takes_long(model) or now - last >= WAITS.total_seconds()
            if due or blaming(self._monitor.evidence(model.key).judgements):
                self._queue.add(model.key)
            woken[model.key] = now if due else last
        self._woken = woken

    async def _judge(self, moving: Sequence[Model]) -> None:
        needed = bounds(self._monitor.config(model.key, model.spec) for model in moving)
        found = await self._prometheus.read([model.key for model in moving], needed)
        # At first nobody knows whose counters count; the worker that looks is on its way.
        known = [model for model in moving if self._pods.knows(model.key)]
        stamps = {model.key: stamp for model in known if (stamp := self._monitor.needs_earlier(model.key)) is not None}
        earlier = await self._earlier(stamps, needed)
        ready = [model for model in known if model.key in found and (model.key in earlier or model.key not in stamps)]
        breached = [model for model in ready if self._breaches(model, found[model.key], earlier.get(model.key))]
        for model in breached:
            if model.key not in self._rollbacks:
                self._rollbacks[model.key] = asyncio.create_task(self._roll_back(model))
        await self._wait_for_rollbacks()

    async def _wait_for_rollbacks(self) -> None:
        """Let rollbacks end, but not for long: a route that is slow to be written delays the guards of no other."""
        if self._rollbacks:
            done, _ = await asyncio.wait(self._rollbacks.values(), timeout=self._period)
            self._rollbacks = {key: task for key, task in self._rollbacks.items() if task not in done}
            for task in done:
                task.result()

    async def _earlier(self, stamps: Mapping[ModelKey, float], bounds: Sequence[float]) -> dict[ModelKey, Past]:
        """What could be read of the past so far, without holding up those who need none; the rest comes later."""
        if self._past is None and stamps:
            self._past = stamps, asyncio.create_task(self._rewind.read(stamps, bounds))
        if self._past is None:
            return {}
        asked, task = self._past
        await asyncio.wait({task}, timeout=self._period)
        if not task.done():
            return {}
        self._past = None
        return {key: past for key, past in task.result().items() if stamps.get(key) == asked[key]}

    def _breaches(self, model: Model, samples: Samples | MetricsError, earlier: Past) -> bool:
        """Whether the newest samples blame the candidate; one model that cannot be judged holds up no other."""
        try:
            then = trusted(earlier)
            own, ahead = without_clocks_ahead(self._pods.of(model.key, trusted(samples)), self._interval)
            breaches = self._monitor.ingest(model.key, model.spec, own, datetime.now(UTC), then)
        except (MetricsError, ValueError) as error:
            self._note_trouble(model, str(error))
            return False
        except Exception as error:  # whatever is wrong with this one, the others have to be judged
            if self._note_trouble(model, f"its counters cannot be judged ({type(error).__name__}: {error})"):
                LOG.exception("%s/%s", *model.key)
            return False
        if self._monitor.note_trouble(model.key, ahead) and ahead:
            LOG.warning("%s/%s: %s", *model.key, ahead)
        return bool(breaches)

    def _note_trouble(self, model: Model, trouble: str) -> bool:
        """Tell the log once, and the status as long as it lasts, why a model cannot be judged; whether that is news."""
        news = self._monitor.note_trouble(model.key, trouble)
        if news:
            LOG.warning("%s/%s cannot be judged, its weights stay as they are: %s", *model.key, trouble)
        return news

    async def _roll_back(self, model: Model) -> None:
        """The rollback's first write: all traffic to stable, before anything is said about it."""
        session = self._monitor.sync_session(model.key, model.status, datetime.now(UTC))
        if session is None or session.reverted_at is not None:
            return
        refuge = self._refuge(model, session)
        if refuge is None:
            return
        site = Site(self._client, model, self._epoch)
        try:
            moved = await router_of(model.spec).roll_back(site, refuge, session.comparison.candidate)
        except KubeError:
            LOG.exception("%s/%s: the rollback could not be written; the next tick tries again", *model.key)
            return
        if moved:
            session.reverted_at = datetime.now(UTC)
            LOG.warning(
                "%s/%s: %s breached its guards, all traffic is on stable", *model.key, session.comparison.candidate
            )

    @staticmethod
    def _refuge(model: Model, session: GuardSession) -> Color | None:
        """The color to go back to: that needs one ready pod of stable, nothing more."""
        stable, candidate = model.status.stable, model.status.candidate
        if stable is None or candidate is None or candidate.revision != session.comparison.candidate:
            return None
        return stable.color if stable.ready > 0 else None


def _is_readable(model: Model) -> bool:
    """Whether status and guards can be read from it."""
    try:
        guard_config(model.spec)
        model.status  # noqa: B018 - reading it is what may fail
    except (InvalidSpec, ValueError) as error:
        LOG.debug("%s/%s is not judged: %s", *model.key, error)
        return False
    return True


def _takes_long(model: Model) -> bool:
    """Whether it waits for a person, or is watched after its promotion: nothing is due for days."""
    hold = model.status.hold
    return model.status.phase is Phase.WATCHING or (hold is not None and hold.reason in CLOCK_STOPS)
