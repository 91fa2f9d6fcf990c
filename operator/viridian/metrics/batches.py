"""Many models in few queries, so that a query which fails costs as few of them as possible."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from .connection import MetricsError, QueryRefused, Unanswered

BATCH = 200
"""Most models in one query."""
HALVES = 16
"""Further queries per reading, for halves of what was refused: enough to find one model in a batch."""
ALONE = 16
"""Further queries per reading, for models that were refused by themselves and are asked for alone since."""
LONGEST_PAUSE = 32
"""Most readings that such a model skips: a refused query may have cost Prometheus seconds."""
GIVE_UP_AFTER = 2
"""Queries in a row without an answer, after which the rest is skipped: each may take as long as a timeout."""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Ask = Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value | MetricsError]]]
"""Sends one query for some models; where it can tell which are to be refused, it has their errors in the answer."""


@dataclass(frozen=True)
class _Refusal:
    """Why a model was refused, how often one after the other, and the reading in which it has its next turn."""

    error: QueryRefused
    times: int
    due: int


class Batches(Generic[Key, Value]):
    """Asks for models batch by batch; one whose series are refused is remembered, and holds up no other.

    Where many models together are refused, but none alone, batches become half as large, and grow again one by one.
    """

    def __init__(self) -> None:
        """Begin with none refused."""
        self._refused: dict[Key, _Refusal] = {}
        self._readings, self._size = 0, BATCH

    @property
    def refused(self) -> Mapping[Key, QueryRefused]:
        """The models that were refused by themselves when they were last asked for."""
        return {key: refusal.error for key, refusal in self._refused.items()}

    async def read(self, keys: Sequence[Key], ask: Ask[Key, Value]) -> dict[Key, Value | MetricsError]:
        """What is known of the models, or why nothing is.

        Args:
            keys: all models of interest, each once.
            ask: sends one query.

        Raises:
            Unanswered: nobody answered any query.
        """
        wanted = frozenset(keys)
        self._readings += 1
        known = {key: refusal for key, refusal in self._refused.items() if key in wanted}
        rest = [key for key in keys if key not in known]
        reading = _Reading(ask, self._size)
        while rest:
            group, rest = rest[: reading.size], rest[reading.size :]
            await reading.take(group)
        for key in self._due(known):
            await reading.take([key])
            if key in reading.refused:
                break  # it may have taken long, and all others wait for it
        if reading.is_away is not None:
            raise reading.is_away
        self._size = reading.size if reading.crowded else min(BATCH, reading.size + 1)
        waiting = {key: refusal for key, refusal in known.items() if key not in reading.found}
        self._refused = {**waiting, **{key: self._again(key, error) for key, error in reading.refused.items()}}
        return {**{key: refusal.error for key, refusal in waiting.items()}, **reading.found}

    def _due(self, known: Mapping[Key, _Refusal]) -> list[Key]:
        """Those of the refused that have their turn; who waited longest comes first."""
        due = [key for key, refusal in known.items() if refusal.due <= self._readings]
        return sorted(due, key=lambda key: known[key].due)[:ALONE]

    def _again(self, key: Key, error: QueryRefused) -> _Refusal:
        times = self._refused[key].times + 1 if key in self._refused else 0
        return _Refusal(error, times, self._readings + min(LONGEST_PAUSE, 1 << min(times, 16)))


class _Reading(Generic[Key, Value]):
    """The queries of one reading, and what came of them.

    Attributes:
        size: Models that may be asked for together.
        crowded: Whether that has become less, because models were refused together that were not alone.
    """

    def __init__(self, ask: Ask[Key, Value], size: int) -> None:
        self._ask, self.size, self.crowded = ask, size, False
        self._halves, self._silences, self._heard = HALVES, 0, False
        self._silence: Unanswered | None = None
        self.found: dict[Key, Value | MetricsError] = {}
        self.refused: dict[Key, QueryRefused] = {}

    @property
    def is_away(self) -> Unanswered | None:
        """Why there is nothing at all, if nobody ever answered."""
        return None if self._heard else self._silence

    async def take(self, group: Sequence[Key]) -> None:
        """Ask for a group, and for its halves where it is refused."""
        # Halves of halves come before the other half: one model is found before the queries are used up.
        parts, halved = [group], []
        while parts:
            part = parts.pop()
            try:
                answer = await self._answer(part)
                self.found.update(answer)
                self.refused.update({key: value for key, value in answer.items() if isinstance(value, QueryRefused)})
            except MetricsError as error:
                error.with_traceback(None)  # its frames hold the answer
                halves = self._halve(part) if isinstance(error, QueryRefused) else []
                parts.extend(halves)
                if halves:
                    halved.append(part)
                else:
                    self._note(part, error)
        # One model that is too large says nothing about the number of the others.
        together = [len(part) for part in halved if not any(isinstance(self.found.get(k), MetricsError) for k in part)]
        if together:
            self.size, self.crowded = max(1, min(together) // 2), True

    async def _answer(self, part: Sequence[Key]) -> Mapping[Key, Value | MetricsError]:
        if self._silence is not None and self._silences >= GIVE_UP_AFTER:
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
            self.refused[part[0]] = error
