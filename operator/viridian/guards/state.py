"""What the guards remember between looks, small enough for the status of an object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from viridian.guards.absolute import ABOVE
from viridian.guards.counts import Block, Counts
from viridian.guards.design import Spread
from viridian.guards.eprocess import EProcess

VERSION: Final = 1

WITNESS: Final = 20.0
"""The evidence that unpinned requests must give before pinned ones add to it."""


@dataclass(frozen=True)
class AbsoluteState:
    """One guard with a fixed maximum.

    Attributes:
        fingerprint: Which question the evidence answers.
        alpha: The probability of a false breach that this guard may spend; the threshold is 1/alpha.
        above: Evidence of unpinned requests that the candidate is above the maximum.
        stable_above: Evidence that stable is.
        below: Evidence that the candidate is below it, which promotion wants.
        total: All requests so far.
        stretch: Requests since the evidence last was none: the ones that a breach is about.
        shared: Whether stable breaches too.
        pinned: Evidence of pinned requests that the candidate is above the maximum.
        pins: Pinned requests since that evidence last was none.
        spread: How far stable's own pods lie apart.
    """

    fingerprint: str
    alpha: float
    above: EProcess
    stable_above: EProcess
    below: EProcess
    total: Block = field(default_factory=Block)
    stretch: Block = field(default_factory=Block)
    shared: bool = False
    pinned: EProcess = field(default_factory=lambda: EProcess.start(len(ABOVE)))
    pins: Counts = field(default_factory=Counts)
    spread: Spread = field(default_factory=Spread)

    @property
    def evidence(self) -> float:
        """The evidence against the candidate, in which pinned requests weigh only beside others.

        Half of the bet is on unpinned requests alone, half on both, so that good pinned ones hide little: whoever sends
        them chooses how many, and what. Cut off, they cannot reach the threshold before the others are a witness.
        """
        alone = self.above.evidence
        if not self.pinned.blocks:
            return alone
        most = 2 / (WITNESS * self.alpha) - 1
        return alone * (1 + min(self.pinned.evidence, most)) / 2


@dataclass(frozen=True)
class RelativeState:
    """One comparison with stable.

    Attributes:
        fingerprint: Which question the evidence answers.
        alpha: As for `AbsoluteState`.
        worse: Evidence that the candidate is worse.
        total: All requests that were compared.
        stretch: Those since the evidence last was none.
        spread: How far stable's own pods lie apart.
    """

    fingerprint: str
    alpha: float
    worse: EProcess
    total: Block = field(default_factory=Block)
    stretch: Block = field(default_factory=Block)
    spread: Spread = field(default_factory=Spread)


@dataclass(frozen=True)
class Reach:
    """What the gateway was seen to give the candidate. Without that, silence is nobody's fault.

    Attributes:
        runs: How many stretches without any answer of the candidate have begun, be they ever so short.
        share: The least share of requests, 0 to 1, that it must have got at earlier weights, by what was answered.
        candidate: Comparable requests that it answered at this weight.
        stable: Stable's up to the last of those.
    """

    runs: int = 0
    share: float = 0.0
    candidate: int = 0
    stable: int = 0


@dataclass(frozen=True)
class State:
    """All guards of one rollout.

    Attributes:
        stamp: The moment up to which requests are in the evidence: the end of the last closed block, in seconds since
            the epoch. After a restart the counters are read again as they stood then. None before the first snapshot.
        weight: The candidate's weight in percent in the block that is open.
        comparable_from: Requests before this moment are not compared, because the weight had just changed.
        absolute: By the guard's name.
        relative: By the guard's name.
        reserve: What no guard holds of alpha; None before it was first shared out.
        reach: What the gateway was seen to give the candidate.
        answers: Tests for predictions that are none, by name; their alpha is fixed.
        of_stable: Stable's percentiles in seconds before the candidate had any weight, by percentile.
    """

    stamp: float | None = None
    weight: int | None = None
    comparable_from: float = 0.0
    absolute: Mapping[str, AbsoluteState] = field(default_factory=dict)
    relative: Mapping[str, RelativeState] = field(default_factory=dict)
    reserve: float | None = None
    reach: Reach = Reach()
    answers: Mapping[str, RelativeState] = field(default_factory=dict)
    of_stable: Mapping[float, float] = field(default_factory=dict)


def encode(state: State) -> str:
    """Returns the state as compact JSON."""
    document = {
        "v": VERSION,
        "stamp": state.stamp,
        "weight": state.weight,
        "from": state.comparable_from,
        "reserve": state.reserve,
        "reach": [state.reach.runs, state.reach.share, state.reach.candidate, state.reach.stable],
        "abs": {
            name: {
                "q": one.fingerprint,
                "alpha": one.alpha,
                "above": _pack(one.above),
                "stable": _pack(one.stable_above),
                "below": _pack(one.below),
                "n": _pack_block(one.total),
                "run": _pack_block(one.stretch),
                "shared": one.shared,
                **({"pin": _pack(one.pinned), "pins": [one.pins.total, one.pins.events]} if one.pinned.blocks else {}),
                **_pack_spread(one.spread),
            }
            for name, one in state.absolute.items()
        },
        "rel": {name: _pack_relative(one) for name, one in state.relative.items()},
        **({"ans": {name: _pack_relative(one) for name, one in state.answers.items()}} if state.answers else {}),
        **({"of": list(state.of_stable.items())} if state.of_stable else {}),
    }
    return json.dumps(document, separators=(",", ":"), sort_keys=True, allow_nan=False)


def decode(text: str) -> State:
    """Reads what `encode` wrote.

    Raises:
        ValueError: If it is not that. Starting anew instead would forget what has been spent of alpha, so this is for
            the caller to decide.
    """
    try:
        document = json.loads(text)
        if document["v"] != VERSION:
            raise ValueError(f"the guards' state has version {document['v']}, not {VERSION}")
        return State(
            stamp=document["stamp"],
            weight=document["weight"],
            comparable_from=document["from"],
            reserve=document["reserve"],
            reach=Reach(*document.get("reach", [])),  # states from before there was one go on without
            absolute={name: _absolute(one) for name, one in document["abs"].items()},
            relative={name: _relative(one) for name, one in document["rel"].items()},
            # Absent where nothing was asked of them, and in states from before they were known.
            answers={name: _relative(one) for name, one in document.get("ans", {}).items()},
            of_stable={float(percentile): seconds for percentile, seconds in document.get("of", [])},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the guards' state is not readable: {error!r}") from error


def _absolute(document: Mapping[str, Any]) -> AbsoluteState:
    above = _unpack(document["above"])
    return AbsoluteState(
        fingerprint=document["q"],
        alpha=document["alpha"],
        above=above,
        stable_above=_unpack(document["stable"]),
        below=_unpack(document["below"]),
        total=_unpack_block(document["n"]),
        stretch=_unpack_block(document["run"]),
        shared=document["shared"],
        # Absent where there were none, and in states from before they were apart.
        pinned=_unpack(document["pin"]) if "pin" in document else EProcess.start(len(above.log_s)),
        pins=Counts(*document.get("pins", [])),
        spread=Spread(*document.get("phi", [])),
    )


def _relative(document: Mapping[str, Any]) -> RelativeState:
    return RelativeState(
        fingerprint=document["q"],
        alpha=document["alpha"],
        worse=_unpack(document["worse"]),
        total=_unpack_block(document["n"]),
        stretch=_unpack_block(document["run"]),
        spread=Spread(*document.get("phi", [])),
    )


def _pack_relative(one: RelativeState) -> dict[str, Any]:
    return {
        "q": one.fingerprint,
        "alpha": one.alpha,
        "worse": _pack(one.worse),
        "n": _pack_block(one.total),
        "run": _pack_block(one.stretch),
        **_pack_spread(one.spread),
    }


def _pack_spread(spread: Spread) -> dict[str, Any]:
    return {"phi": [spread.squares, spread.freedom]} if spread.freedom else {}


def _pack(process: EProcess) -> list[float]:
    return [process.blocks, *process.log_s]


def _unpack(numbers: list[float]) -> EProcess:
    return EProcess(tuple(float(number) for number in numbers[1:]), int(numbers[0]))


def _pack_block(block: Block) -> list[int]:
    return [block.candidate.total, block.candidate.events, block.stable.total, block.stable.events]


def _unpack_block(numbers: list[int]) -> Block:
    return Block(Counts(numbers[0], numbers[1]), Counts(numbers[2], numbers[3]))
