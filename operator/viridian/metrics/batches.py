"""Many models in few queries, so that a query which fails costs as few of them as possible."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

from .connection import MetricsError, QueryRefused, Unanswered

BATCH = 200
"""Models asked for in one query."""
HALVES = 16
"""Further queries per reading, for halves of what was refused: enough to find one model in a batch."""
ALONE = 16
"""Further queries per reading, for models that were refused by themselves and are asked for alone since."""
PATIENCE = 2
"""Queries in a row that nobody answers, after which the rest is not asked: each may take as long as a timeout."""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Ask = Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value | MetricsError]]]
"""Sends one query for some models."""


class Batches(Generic[Key, Value]):
    """Asks for models batch by batch; one whose series Prometheus refuses is remembered, and holds up no other."""

    def __init__(self) -> None:
        """Begin with none refused."""
        self._refused: dict[Key, str] = {}

    async def read(self, keys: Sequence[Key], ask: Ask[Key, Value]) -> dict[Key, Value | MetricsError]:
        """What is known of the models, or why nothing is.

        Args:
            keys: all models of interest, each once.
            ask: sends one query.

        Raises:
            Unanswered: nobody answered any query.
        """
        wanted = frozenset(keys)
        known = {key: why for key, why in self._refused.items() if key in wanted}
        apart = list(known)[:ALONE]
        rest = [key for key in keys if key not in known]
        reading = _Reading(ask)
        batches = [rest[start : start + BATCH] for start in range(0, len(rest), BATCH)]
        for group in (*batches, *([key] for key in apart)):
            await reading.take(group)
        if reading.is_away is not None:
            raise reading.is_away
        waiting = {key: why for key, why in known.items() if key not in apart}
        # Those that were asked come last, so that each has its turn.
        self._refused = {**waiting, **reading.refused}
        return {**{key: QueryRefused(why) for key, why in waiting.items()}, **reading.found}


class _Reading(Generic[Key, Value]):
    """The queries of one reading, and what came of them."""

    def __init__(self, ask: Ask[Key, Value]) -> None:
        self._ask = ask
        self._halves, self._silences, self._heard = HALVES, 0, False
        self._silence: Unanswered | None = None
        self.found: dict[Key, Value | MetricsError] = {}
        self.refused: dict[Key, str] = {}

    @property
    def is_away(self) -> Unanswered | None:
        """Why there is nothing at all, if nobody ever answered."""
        return None if self._heard else self._silence

    async def take(self, group: Sequence[Key]) -> None:
        """Ask for a group, and for its halves where it is refused."""
        # Halves of halves come before the other half: one model is found before the queries are used up.
        parts = [group]
        while parts:
            part = parts.pop()
            try:
                self.found.update(await self._answer(part))
            except MetricsError as error:
                halves = self._halve(part) if isinstance(error, QueryRefused) else []
                parts.extend(halves)
                if not halves:
                    self._note(part, error)

    async def _answer(self, part: Sequence[Key]) -> Mapping[Key, Value | MetricsError]:
        if self._silence is not None and self._silences >= PATIENCE:
            raise self._silence
        try:
            answer = await self._ask(part)
        except Unanswered as error:
            self._silences, self._silence = self._silences + 1, error
            raise
        except MetricsError:
            self._silences, self._heard = 0, True
            raise
        self._silences, self._heard = 0, True
        return answer

    def _halve(self, part: Sequence[Key]) -> list[Sequence[Key]]:
        if len(part) == 1 or self._halves <= 1:
            return []
        self._halves -= 2
        middle = len(part) // 2
        return [part[middle:], part[:middle]]

    def _note(self, part: Sequence[Key], error: MetricsError) -> None:
        self.found.update(dict.fromkeys(part, error))
        if len(part) == 1 and isinstance(error, QueryRefused):
            self.refused[part[0]] = str(error)
