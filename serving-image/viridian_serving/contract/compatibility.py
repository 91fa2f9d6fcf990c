"""Whether stable can answer what this pod's model fails: the interfaces of the two, held against each other.

Compared is what clients send and get back, not the tensors behind it. Stable checks every request against its own
schema, and a 400 from it is no help; so it is asked unless nothing that this pod takes could be valid there.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import msgspec

from viridian_serving.codec.answers import AnswerSchema
from viridian_serving.codec.tensors import DYNAMIC, Kind, Tensor
from viridian_serving.contract.contract import Contract
from viridian_shared.counts.covers import Covers

LONGEST_REASON: Final = 200
"""Characters of a reason; it is the label of a metric."""
_MOST_NAMED: Final = 3
"""Differences that a reason names."""


class Value(msgspec.Struct, frozen=True):
    """A member of what is sent, or of what is answered."""

    name: str
    type: Kind
    shape: tuple[int, ...] = ()
    nullable: bool = False
    """Whether null may stand for it."""


class TensorForm(msgspec.Struct, frozen=True):
    """An output of the model."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    @classmethod
    def of(cls, tensor: Tensor) -> "TensorForm":
        """Take an output as the model declares it."""
        return cls(tensor.name, tensor.datatype.name, tensor.dims)


class Interface(msgspec.Struct, frozen=True):
    """What a pod takes and gives, as its ``/health`` says."""

    input_schema: str | None
    """Fingerprint by which pods of earlier images decide; it covers the tensors behind the features as well."""
    features: tuple[Value, ...] = ()
    answers: tuple[Value, ...] | None = None
    """The member ``prediction``, or its members where it is an object; None where an earlier image does not say."""
    protocol: str | None = None
    """Fingerprint of the tensors that the inference protocol takes; None where it is closed."""
    outputs: tuple[TensorForm, ...] = ()

    @classmethod
    def of(cls, contract: Contract) -> "Interface":
        """Return that of a contract."""
        return cls(
            contract.fingerprint,
            tuple(Value(each.name, each.kind, each.dims, each.nullable) for each in contract.requests.features),
            tuple(_answers(contract.answers)),
            contract.model.input_fingerprint if contract.raw else None,
            tuple(map(TensorForm.of, contract.model.outputs)),
        )


@dataclass(frozen=True, slots=True)
class Coverage:
    """What stable can answer, and why not more."""

    covers: Covers
    reason: str = ""
    """The end of a sentence that begins with what it cannot answer; empty for all, self and unknown."""
    predict: bool = False
    """Whether it may be asked what came to ``/predict``."""
    infer: bool = False
    """Whether it may be asked what came by the inference protocol."""


UNKNOWN: Final = Coverage(Covers.UNKNOWN)
ITSELF: Final = Coverage(Covers.SELF)
OFF: Final = Coverage(Covers.OFF, "the fallback is switched off, VIRIDIAN_STABLE is not set")
UNREACHABLE: Final = Coverage(Covers.NONE, "stable cannot be reached")
UNWELL: Final = Coverage(Covers.NONE, "the pods of stable do not answer predictions")


def coverage(own: Interface, stable: Interface) -> Coverage:
    """Hold this pod's interface against stable's.

    Args:
        own: What this pod takes and gives.
        stable: What stable's pod says of itself.
    """
    if stable.answers is None:
        same = own.input_schema is not None and own.input_schema == stable.input_schema
        if same:
            return Coverage(Covers.ALL, predict=True, infer=True)
        return Coverage(Covers.NONE, "stable runs an earlier serving image and takes other inputs")
    differences = [*_of_features(own, stable), *_of_answers(own.answers or (), stable.answers)]
    worst = max((each.level for each in differences), default=_Level.NARROWER)
    gap = _of_protocol(own, stable) if own.protocol is not None else ""
    infer = own.protocol is not None and not gap
    if worst is _Level.APART:
        told = [each.reason for each in differences if each.level is _Level.APART]
        return Coverage(Covers.NONE, _joined(told), infer=infer)
    told = [each.reason for each in differences if each.level is _Level.WIDER] + ([gap] if gap else [])
    return Coverage(Covers.SOME if told else Covers.ALL, _joined(told), predict=True, infer=infer)


class _Level(IntEnum):
    NARROWER = 0
    """All that this pod takes is valid at stable."""
    WIDER = 1
    """Some of it is."""
    APART = 2
    """Nothing of it is."""


@dataclass(frozen=True, slots=True)
class _Difference:
    level: _Level
    reason: str


def _of_features(own: Interface, stable: Interface) -> Iterator[_Difference]:
    here, there = ({each.name: each for each in interface.features} for interface in (own, stable))
    for name, feature in here.items():
        what = f"feature {name!r}"
        if name not in there:
            yield _Difference(_Level.APART, f"{what} is new")
            continue
        theirs = there[name]
        kind = _kinds(feature.type, theirs.type)
        if kind is not _Level.NARROWER:
            yield _Difference(kind, f"{what} is {feature.type.one}, and stable takes {theirs.type.one}")
        shape = _shapes(feature.shape, theirs.shape)
        if shape is not _Level.NARROWER:
            yield _Difference(shape, f"{what} is {_shown(feature.shape)}, and stable takes {_shown(theirs.shape)}")
        if feature.nullable and not theirs.nullable:
            yield _Difference(_Level.WIDER, f"{what} may be null, and not at stable")
    for name in there:
        if name not in here:
            yield _Difference(_Level.APART, f"feature {name!r} is gone, and stable needs it")


def _of_answers(own: tuple[Value, ...], stable: tuple[Value, ...]) -> Iterator[_Difference]:
    """What a client of this pod could not read in stable's answer. What else stable answers does no harm."""
    there = {each.name: each for each in stable}
    for answer in own:
        what = f"its answer's {answer.name!r}"
        theirs = there.get(answer.name)
        if theirs is None:
            yield _Difference(_Level.APART, f"{what} is not in stable's")
        elif _kinds(theirs.type, answer.type) is not _Level.NARROWER:
            yield _Difference(_Level.APART, f"{what} is {answer.type.one}, and stable's is {theirs.type.one}")
        elif _shapes(theirs.shape, answer.shape) is _Level.APART:
            yield _Difference(_Level.APART, f"{what} is {_shown(answer.shape)}, and stable's is {_shown(theirs.shape)}")


def _of_protocol(own: Interface, stable: Interface) -> str:
    """Why stable cannot answer the inference protocol; empty when it can."""
    if stable.protocol is None:
        return "stable does not take the inference protocol"
    if stable.protocol != own.protocol or not set(own.outputs) <= set(stable.outputs):
        return "stable has other tensors in the inference protocol"
    return ""


def _kinds(given: Kind, taken: Kind) -> _Level:
    if given is taken or (given, taken) == (Kind.INTEGER, Kind.NUMBER):
        return _Level.NARROWER
    return _Level.WIDER if (given, taken) == (Kind.NUMBER, Kind.INTEGER) else _Level.APART


def _shapes(given: tuple[int, ...], taken: tuple[int, ...]) -> _Level:
    given, taken = _plain(given), _plain(taken)
    if {given, taken} == {(), (DYNAMIC,)}:
        return _Level.WIDER  # a list of any length may have one element
    if len(given) != len(taken):
        return _Level.APART
    return max((_sizes(*pair) for pair in zip(given, taken, strict=True)), default=_Level.NARROWER)


def _sizes(given: int, taken: int) -> _Level:
    if taken in (given, DYNAMIC):
        return _Level.NARROWER
    return _Level.WIDER if given == DYNAMIC else _Level.APART


def _plain(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A list of one element may come bare."""
    return () if shape == (1,) else shape


def _shown(shape: tuple[int, ...]) -> str:
    sizes = ", ".join("any" if size == DYNAMIC else str(size) for size in _plain(shape))
    return f"a list of shape [{sizes}]" if sizes else "one value"


def _answers(schema: AnswerSchema) -> Iterator[Value]:
    """The member ``prediction``; what stable's own policy keeps back beside it is not asked for."""
    if schema.prediction is not None:
        tensor = schema.output(schema.prediction)
        kind = tensor.datatype.kind
        yield Value("prediction", Kind.STRING if schema.classes and kind is Kind.INTEGER else kind, tensor.dims)
    elif schema.probabilities is not None:
        yield Value("prediction", Kind.STRING if schema.classes else Kind.INTEGER)
    else:
        for tensor in schema.others:
            yield Value(f"prediction.{tensor.name}", tensor.datatype.kind, tensor.dims)


def _joined(reasons: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(reasons))
    more = f"; and {len(distinct) - _MOST_NAMED} more" if len(distinct) > _MOST_NAMED else ""
    # Names are the author's: they may be long, and hold what no label should.
    text = "; ".join(distinct[:_MOST_NAMED])
    shown = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    longest = LONGEST_REASON - len(more)
    return (shown if len(shown) <= longest else f"{shown[: longest - 1]}…") + more
