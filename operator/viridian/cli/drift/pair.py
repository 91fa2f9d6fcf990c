"""Which two versions are compared, and when each of them served: read from a model's status."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from viridian.api.errors import ViridianError
from viridian.cli.model import Json, Model, called, read_time

STABLE: Final = "stable"
PREVIOUS: Final = "previous"
_SERVED: Final = frozenset({"Promoted", "Restored", "TookOver"})
"""How rollouts ended whose versions served all users from then on."""


class NothingToCompare(ViridianError):
    """A model has no such two versions; the message says why, and what to do."""


@dataclass(frozen=True)
class Side:
    """A version that serves, or has served."""

    revision: str
    version: str

    def __str__(self) -> str:
        """As sentences name it."""
        return f"{self.version} ({self.revision})"


@dataclass(frozen=True)
class Pair:
    """Two versions: they serve at the same time, or have served one after the other."""

    newer: Side
    """Which is compared."""
    other: Side
    """What it is compared with."""
    replaced: datetime | None = None
    """When the other one was replaced; None while both serve."""
    begun: datetime | None = None
    """Since when the newer one serves all users, where it has replaced something."""

    @property
    def is_side_by_side(self) -> bool:
        """Whether both serve now, so that each gets a share of the same requests."""
        return self.replaced is None


def pair_of(model: Model, against: str) -> Pair:
    """Return what a person wants to compare.

    Args:
        model: As it is.
        against: `stable`, with which the candidate is compared; `previous`, with which stable is; or a version or
            revision, with which the candidate is compared where there is one, and else stable.

    Raises:
        NothingToCompare: There are no such two versions.
    """
    if not model.stable:
        raise NothingToCompare(f"no version of {model.name} serves yet: wait until its first one does")
    if against == STABLE:
        return _candidate_with_stable(model)
    if against == PREVIOUS:
        return _stable_with_previous(model)
    return _newest_with(model, against)


def _candidate_with_stable(model: Model) -> Pair:
    stable = _side(model.stable)
    if model.candidate:
        return Pair(_side(model.candidate), stable)
    raise NothingToCompare(
        f"{model.name} has no candidate, so nothing serves beside {stable}; compare it with what served before it:"
        f" --against {PREVIOUS}"
    )


def _stable_with_previous(model: Model) -> Pair:
    stable = _side(model.stable)
    if model.control:
        return Pair(stable, _side(model.control))
    found = _from_history(model, stable, lambda entry: entry["revision"] != stable.revision)
    if found is None:
        raise NothingToCompare(f"nothing has served before {stable}, by what the history of {model.name} keeps")
    return found


def _newest_with(model: Model, wanted: str) -> Pair:
    roles = [_side(role) for role in (model.candidate, model.stable, model.control) if role]
    newest, *others = roles
    for side in others:
        if wanted in (side.revision, side.version):
            return Pair(newest, side)
    found = _from_history(
        model,
        newest,
        lambda entry: wanted in (entry["revision"], entry["version"]) and entry["revision"] != newest.revision,
    )
    if found is not None:
        return found
    if wanted in (newest.revision, newest.version):
        raise NothingToCompare(f"{newest} is what is compared; name another version with --against")
    names = (*map(str, others), *map(called, _served(model)))
    known = ", ".join(dict.fromkeys(name for name in names if name != str(newest)))
    raise NothingToCompare(
        f"no version or revision {wanted} of {model.name} serves or has served; --against takes {known or 'none yet'}"
    )


def _from_history(model: Model, newer: Side, wanted: Callable[[Json], bool]) -> Pair | None:
    """Return the last that served of the revisions that are wanted; None where the history has none."""
    # What took over in a rollout that is not over has no entry yet.
    replaced = started = str(model.status.get("startedAt") or "")
    for entry in _served(model):
        if wanted(entry):
            own = (str(each["endedAt"]) for each in _served(model) if each["revision"] == newer.revision)
            begun = next(own, started)
            return Pair(newer, _side(entry), read_time(replaced), read_time(begun)) if replaced and begun else None
        replaced = str(entry["endedAt"])
    return None


def _served(model: Model) -> Iterator[Json]:
    return (entry for entry in model.history if entry["result"] in _SERVED)


def _side(role: Json) -> Side:
    return Side(str(role["revision"]), str(role["version"]))
