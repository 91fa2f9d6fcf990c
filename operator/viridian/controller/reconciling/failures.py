"""What kept decisions from being applied: it is said once, and tried again ever less often.

It is kept in memory alone: a later leader meets with it anew.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from viridian.api.errors import NotAsWritten
from viridian.api.model_key import ModelKey
from viridian.rollout.observed import ApplyFailure
from viridian.rollout.planning.actions import Action, written_by

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(seconds=30)
"""Before another try, doubled from one to the next: what stands in the way may go without an event."""
RETELL = timedelta(seconds=15)
"""Between two tellings of one reason in different words, such as those of a webhook that numbers its answers."""
ENOUGH = 3
"""So often in a row is the same written before it is said that somebody else changes it."""
API_ERRORS = 5
"""So often in a row may the API fail before that is said; it mostly passes sooner."""


@dataclass(frozen=True)
class _Recorded:
    """A failure of one model: for which generation of the spec, its pause, the end of that, and when it was told."""

    failure: ApplyFailure
    generation: int
    pause: timedelta
    until: datetime
    told: datetime


class FailureTracker:
    """Those of all models."""

    def __init__(self) -> None:
        """Know of none."""
        self._recorded: dict[ModelKey, _Recorded] = {}
        self._written: dict[ModelKey, tuple[tuple[Action, ...], int]] = {}
        self._api_errors: dict[ModelKey, int] = {}

    def of(self, key: ModelKey) -> ApplyFailure | None:
        """What stands in the way of a model, as it was told."""
        met = self._recorded.get(key)
        return met.failure if met is not None else None

    def is_news(self, key: ModelKey, failure: ApplyFailure, generation: int, now: datetime) -> bool:
        """Whether the user has to be told of a failure that was met with this generation of the spec."""
        met = self._recorded.get(key)
        if met is None or (met.failure.reason, met.generation) != (failure.reason, generation):
            return True
        return met.failure != failure and now - met.told >= RETELL

    def record(self, key: ModelKey, failure: ApplyFailure, generation: int, now: datetime) -> timedelta:
        """Note a failure, told if it was news; gives the time to wait before another try."""
        met, news = self._recorded.get(key), self.is_news(key, failure, generation, now)
        pause = min(LONGEST_PAUSE, 2 * met.pause) if met is not None and met.generation == generation else FIRST_PAUSE
        shown, told = (failure, now) if met is None or news else (met.failure, met.told)
        self._recorded[key] = _Recorded(shown, generation, pause, now + pause, told)
        return pause

    def record_api_error(self, key: ModelKey, failure: ApplyFailure, generation: int, now: datetime) -> None:
        """The API failed; time and again, that is a failure, which the next status tells that can be written."""
        self._api_errors[key] = self._api_errors.get(key, 0) + 1
        if self._api_errors[key] >= API_ERRORS:
            self.record(key, failure, generation, now)

    def pause(self, key: ModelKey, actions: tuple[Action, ...], now: datetime) -> timedelta | None:
        """For how long actions are not worth while that were carried out again and again; None if they may be now."""
        met, (last, times) = self._recorded.get(key), self._written.get(key, ((), 0))
        if met is None or last != actions or times < ENOUGH or now >= met.until:
            return None
        return met.until - now

    def clear(self, key: ModelKey, name: str, actions: tuple[Action, ...]) -> bool:
        """All that a decision asked for was carried out for the model of this name; says whether that ends a failure.

        Raises:
            NotAsWritten: the same was carried out time and again, so somebody else changes what is written.
        """
        last, times = self._written.get(key, ((), 0))
        times = times + 1 if actions == last else 1
        self._written[key] = actions, times
        self._api_errors.pop(key, None)
        if actions and times >= ENOUGH:
            objects = ", ".join(dict.fromkeys(written_by(action, name) for action in actions))
            raise NotAsWritten(
                f"{objects}: written {times} times, and found otherwise each time. An admission webhook or another"
                " controller changes it, or a finalizer keeps what is to go: its metadata say who (managedFields,"
                " finalizers); let that leave it alone"
            )
        return self._recorded.pop(key, None) is not None

    def forget(self, key: ModelKey) -> None:
        """The model is gone, or at rest."""
        for known in (self._recorded, self._written, self._api_errors):
            known.pop(key, None)
