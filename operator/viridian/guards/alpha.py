"""Who may spend how much of alpha, also when guards are edited in mid-rollout.

The sum over all tests of alpha_i times the e-value is a supermartingale that starts at alpha, and a false breach needs
one summand of 1: so its probability is at most alpha (Ville's inequality), whoever holds what. A test that is given up,
or gives up part of its alpha, hands over that part times its e-value and no more: what it has lost on the data already
seen is spent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from viridian.guards import absolute
from viridian.guards.config import AbsoluteGuard, Config, RelativeGuard, absolute_guards, relative_guards
from viridian.guards.evidence.eprocess import EProcess
from viridian.guards.state import AbsoluteState, RelativeState, State


def allocate_alpha(config: Config, state: State) -> State:
    """Returns the state with exactly one test for each guard of the configuration.

    A test whose question is unchanged keeps its evidence; the others start anew with what is left of alpha. If there
    are more tests than before, the old ones give some of theirs.
    """
    fixed = {guard.name: guard for guard in absolute_guards(config)}
    compared = {guard.name: guard for guard in relative_guards(config)}
    kept_fixed = {key: one for key, one in state.absolute.items() if _same(one, fixed.get(key))}
    kept_compared = {key: one for key, one in state.relative.items() if _same(one, compared.get(key))}
    kept: list[AbsoluteState | RelativeState] = [*kept_fixed.values(), *kept_compared.values()]
    new = len(fixed) + len(compared) - len(kept)
    if not new and len(kept) == len(state.absolute) + len(state.relative):
        return state

    pool = config.tests_alpha if state.reserve is None else state.reserve
    dropped = [one for key, one in state.absolute.items() if key not in kept_fixed]
    pool += sum(one.alpha * _left(one) for one in dropped)
    pool += sum(one.alpha * _left(one) for key, one in state.relative.items() if key not in kept_compared)
    grown = len(kept) + new > len(state.absolute) + len(state.relative)
    share = (pool + sum(one.alpha for one in kept) if grown else config.tests_alpha) / max(1, len(kept) + new)
    if grown:
        pool += sum(max(0.0, one.alpha - share) * _left(one) for one in kept)
        kept_fixed = {key: replace(one, alpha=min(one.alpha, share)) for key, one in kept_fixed.items()}
        kept_compared = {key: replace(one, alpha=min(one.alpha, share)) for key, one in kept_compared.items()}
    part = min(share, pool / new) if new else 0.0
    return replace(
        state,
        reserve=max(0.0, pool - new * part),
        absolute={key: kept_fixed.get(key) or _absolute(guard, part) for key, guard in fixed.items()},
        relative={key: kept_compared.get(key) or _relative(guard, part) for key, guard in compared.items()},
    )


def spent(config: Config, state: State) -> float:
    """Returns how much of alpha is lost to edits: no test holds it any more."""
    held: Mapping[str, AbsoluteState | RelativeState] = {
        **{f"absolute {key}": one for key, one in state.absolute.items()},
        **{f"relative {key}": one for key, one in state.relative.items()},
    }
    left = config.tests_alpha if state.reserve is None else state.reserve
    return max(0.0, config.tests_alpha - left - sum(one.alpha for one in held.values()))


def _same(one: AbsoluteState | RelativeState, guard: AbsoluteGuard | RelativeGuard | None) -> bool:
    return guard is not None and one.fingerprint == guard.fingerprint


def _left(one: AbsoluteState | RelativeState) -> float:
    return min(1.0, one.evidence if isinstance(one, AbsoluteState) else one.worse.evidence)


def _absolute(guard: AbsoluteGuard, alpha: float) -> AbsoluteState:
    above = EProcess.start(len(absolute.ABOVE))
    return AbsoluteState(guard.fingerprint, alpha, above, above, EProcess.start(len(absolute.BELOW)))


def _relative(guard: RelativeGuard, alpha: float) -> RelativeState:
    return RelativeState(guard.fingerprint, alpha, EProcess.start(guard.alternatives))
