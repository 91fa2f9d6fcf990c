"""What kept decisions from being carried out: it is said once, and tried again ever less often.

It is kept in memory alone: a later leader meets with it anew.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from viridian.api.errors import NotAsWritten
from viridian.metrics.prometheus import ModelKey
from viridian.rollout.observed import Setback
from viridian.rollout.planning.actions import Action, written_by

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(seconds=30)
"""Before another try, doubled from one to the next: what stands in the way may go without an event."""
RETELL = timedelta(seconds=15)
"""Between two tellings of one reason in different words, such as those of a webhook that numbers its answers."""
ENOUGH = 3
"""So often in a row is the same written before it is said that somebody else changes it."""
STUMBLES = 5
"""So often in a row may the API fail before that is said; it mostly passes sooner."""


@dataclass(frozen=True)
class _Met:
    """A setback of one model: for which generation of the spec, its pause, the end of that, and when it was told."""

    setback: Setback
    generation: int
    pause: timedelta
    until: datetime
    told: datetime


class Setbacks:
    """Those of all models."""

    def __init__(self) -> None:
        """Know of none."""
        self._met: dict[ModelKey, _Met] = {}
        self._written: dict[ModelKey, tuple[tuple[Action, ...], int]] = {}
        self._stumbles: dict[ModelKey, int] = {}

    def of(self, key: ModelKey) -> Setback | None:
        """What stands in the way of a model, as it was told."""
        met = self._met.get(key)
        return met.setback if met is not None else None

    def is_news(self, key: ModelKey, setback: Setback, generation: int, now: datetime) -> bool:
        """Whether the user has to be told of a setback that was met with this generation of the spec."""
        met = self._met.get(key)
        if met is None or (met.setback.reason, met.generation) != (setback.reason, generation):
            return True
        return met.setback != setback and now - met.told >= RETELL

    def meet(self, key: ModelKey, setback: Setback, generation: int, now: datetime) -> timedelta:
        """Note a setback, told if it was news; gives the time to wait before another try."""
        met, news = self._met.get(key), self.is_news(key, setback, generation, now)
        pause = min(LONGEST_PAUSE, 2 * met.pause) if met is not None and met.generation == generation else FIRST_PAUSE
        shown, told = (setback, now) if met is None or news else (met.setback, met.told)
        self._met[key] = _Met(shown, generation, pause, now + pause, told)
        return pause

    def stumble(self, key: ModelKey, setback: Setback, generation: int, now: datetime) -> None:
        """The API failed; time and again, that is a setback, which the next status tells that can be written."""
        self._stumbles[key] = self._stumbles.get(key, 0) + 1
        if self._stumbles[key] >= STUMBLES:
            self.meet(key, setback, generation, now)

    def pause(self, key: ModelKey, actions: tuple[Action, ...], now: datetime) -> timedelta | None:
        """For how long actions are not worth while that were carried out again and again; None if they may be now."""
        met, (last, times) = self._met.get(key), self._written.get(key, ((), 0))
        if met is None or last != actions or times < ENOUGH or now >= met.until:
            return None
        return met.until - now

    def overcome(self, key: ModelKey, name: str, actions: tuple[Action, ...]) -> bool:
        """All that a decision asked for was carried out for the model of this name; says whether that ends a setback.

        Raises:
            NotAsWritten: the same was carried out time and again, so somebody else changes what is written.
        """
        last, times = self._written.get(key, ((), 0))
        times = times + 1 if actions == last else 1
        self._written[key] = actions, times
        self._stumbles.pop(key, None)
        if actions and times >= ENOUGH:
            objects = ", ".join(dict.fromkeys(written_by(action, name) for action in actions))
            raise NotAsWritten(
                f"{objects}: written {times} times, and found otherwise each time. An admission webhook or another"
                " controller changes it, or a finalizer keeps what is to go: its metadata say who (managedFields,"
                " finalizers); let that leave it alone"
            )
        return self._met.pop(key, None) is not None

    def forget(self, key: ModelKey) -> None:
        """The model is gone, or at rest."""
        for known in (self._met, self._written, self._stumbles):
            known.pop(key, None)
