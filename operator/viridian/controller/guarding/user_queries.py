"""Asks users' own queries, apart from the ticker: a slow answer delays no guard and no rollback.

What they say goes into the guard monitor, and from there the ticker and the workers act on it as on any guard.
"""

import asyncio
import functools
import logging
from datetime import UTC, datetime, timedelta

from viridian.api.errors import InvalidSpec
from viridian.api.quantities import parse_number
from viridian.api.spec import ModelDeploymentSpec
from viridian.controller.cache.models import Model, Models
from viridian.guards.queries import Answers, QueryGuard, ignored, judge_query
from viridian.metrics.connection import MetricsError
from viridian.metrics.user_queries import UserQueries

from .monitor import GuardMonitor, GuardSession, blaming
from .polling import poll

LOG = logging.getLogger(__name__)

PERIOD = timedelta(seconds=1)
"""How often it is looked which queries are due."""


class UserQueryPoller:
    """Keeps every moving model's queries answered."""

    def __init__(self, queries: UserQueries | None, models: Models, monitor: GuardMonitor) -> None:
        """Join the parts; without `queries` it only tells users that theirs are ignored."""
        self._queries, self._models, self._monitor = queries, models, monitor
        self._asking: set[asyncio.Task[None]] = set()
        self._busy: set[tuple[str, str, str]] = set()

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            await poll(self._look_now, PERIOD, "users' queries")
        finally:
            for task in self._asking:
                task.cancel()

    def look(self, now: datetime) -> None:
        """Set those queries going that are due; none is asked twice at a time."""
        for model in list(self._models.moving()):
            try:
                self._look_at(model, now)
            except InvalidSpec as error:  # its worker tells the user
                LOG.debug("%s/%s has no queries: %s", *model.key, error)

    async def _look_now(self) -> None:
        self.look(datetime.now(UTC))

    async def settle(self) -> None:
        """Wait until everything that was asked is answered."""
        await asyncio.gather(*self._asking, return_exceptions=True)

    def _look_at(self, model: Model, now: datetime) -> None:
        guards = guards_of(model.spec)
        session = self._monitor.sync_session(model.key, model.status, now)
        if session is None:
            return
        session.answers = {
            guard.name: known if (known := session.answers.get(guard.name)) and known.guard == guard else Answers(guard)
            for guard in guards
        }
        self._judge(session, now)
        if not session.weight or self._queries is None:
            return  # there are no requests to ask about, or nobody to ask
        for answers in session.answers.values():
            job = (*model.key, answers.guard.name)
            if answers.is_due(now.timestamp()) and job not in self._busy:
                self._busy.add(job)
                task = asyncio.create_task(self._ask(self._queries, model, session, answers, now), name="/".join(job))
                self._asking.add(task)
                task.add_done_callback(functools.partial(self._asked, job))

    def _asked(self, job: tuple[str, str, str], task: asyncio.Task[None]) -> None:
        self._asking.discard(task)
        self._busy.discard(job)
        if not task.cancelled() and (error := task.exception()) is not None:
            LOG.error("%s/%s: query %s failed", *job, exc_info=error)

    async def _ask(
        self, queries: UserQueries, model: Model, session: GuardSession, before: Answers, now: datetime
    ) -> None:
        guard, seen = before.guard, session.comparison
        try:
            value = await queries.ask(model.key[0], guard.expression(seen.candidate, seen.stable))
        except (MetricsError, ValueError) as error:
            after = before.inconclusive(str(error), now.timestamp())
        else:
            after = before.answered(value, now.timestamp())
        if session.answers.get(guard.name) == before:  # else the user has edited it meanwhile
            session.answers[guard.name] = after
            self._judge(session, datetime.now(UTC))

    def _judge(self, session: GuardSession, now: datetime) -> None:
        tell = judge_query if self._queries is not None else (lambda answers: ignored(answers.guard))
        session.queries = tuple(tell(answers) for answers in session.answers.values())
        if blaming(session.queries) and session.breached_at is None:
            session.breached_at = now


def guards_of(spec: ModelDeploymentSpec) -> tuple[QueryGuard, ...]:
    """The queries of a spec as plain values."""
    return tuple(QueryGuard(guard.name, guard.query, parse_number(guard.max)) for guard in spec.guards.queries)
