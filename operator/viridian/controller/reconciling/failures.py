"""What kept decisions from being applied: it is said once, and tried again ever less often.

It is kept in memory alone: a later leader finds it anew.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from viridian.api.errors import NotAsWritten
from viridian.api.model_key import ModelKey
from viridian.kube.backoff import Backoff
from viridian.rollout.observed import ApplyFailure
from viridian.rollout.planning.actions import Action, written_by

BACKOFF = Backoff(first=5.0, longest=30.0)
"""Before another try: what stands in the way may go without an event."""
RETELL = timedelta(seconds=15)
"""Between two tellings of one reason in different words, such as those of a webhook that numbers its answers."""
ENOUGH = 3
"""So often in a row is the same written before it is said that somebody else changes it."""
API_ERRORS = 5
"""So often in a row may the API fail before that is said; it mostly passes sooner."""


@dataclass(frozen=True)
class _Recorded:
    """A failure of one model: for which generation of the spec, how often, when to try again, and when it was told."""

    failure: ApplyFailure
    generation: int
    times: int
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
        known = self._recorded.get(key)
        return known.failure if known is not None else None

    def is_news(self, key: ModelKey, failure: ApplyFailure, generation: int, now: datetime) -> bool:
        """Whether the user has to be told of a failure of this generation of the spec."""
        known = self._recorded.get(key)
        if known is None or (known.failure.reason, known.generation) != (failure.reason, generation):
            return True
        return known.failure != failure and now - known.told >= RETELL

    def record(self, key: ModelKey, failure: ApplyFailure, generation: int, now: datetime) -> timedelta:
        """Record a failure, told if it was news; returns the time to wait before another try."""
        known, news = self._recorded.get(key), self.is_news(key, failure, generation, now)
        times = known.times + 1 if known is not None and known.generation == generation else 1
        pause = timedelta(seconds=BACKOFF.pause(times))
        shown, told = (failure, now) if known is None or news else (known.failure, known.told)
        self._recorded[key] = _Recorded(shown, generation, times, now + pause, told)
        return pause

    def record_api_error(self, key: ModelKey, failure: ApplyFailure, generation: int, now: datetime) -> None:
        """The API failed; time and again, that is a failure, which the next status tells that can be written."""
        self._api_errors[key] = self._api_errors.get(key, 0) + 1
        if self._api_errors[key] >= API_ERRORS:
            self.record(key, failure, generation, now)

    def pause(self, key: ModelKey, actions: tuple[Action, ...], now: datetime) -> timedelta | None:
        """For how long actions are not worth while that were carried out again and again; None if they may be now."""
        known, (last, times) = self._recorded.get(key), self._written.get(key, ((), 0))
        if known is None or last != actions or times < ENOUGH or now >= known.until:
            return None
        return known.until - now

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
