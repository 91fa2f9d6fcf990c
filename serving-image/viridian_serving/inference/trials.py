"""Inputs to try a model with before it gets traffic: what its author put beside it, or else made-up ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec

from viridian_serving.codec.features import RequestSchema
from viridian_serving.codec.instances import InstanceReader
from viridian_serving.codec.oip import Encoded
from viridian_serving.codec.trial_inputs import shapes_to_try
from viridian_serving.contract.contract import Contract
from viridian_serving.http1.problems import Problem

MADE_UP = "a made-up input"


class Trial(NamedTuple):
    """One input."""

    encoded: Encoded
    what: str = MADE_UP
    """What it is called in a sentence."""
    instance: Mapping[str, Any] | None = None
    """As a client sends it; None when no client can."""


class Trials:
    """All inputs to try, in order; they are made when they are asked for, since some are large."""

    def __init__(self, contract: Contract, first: Sequence[Trial] = (), *, preprocessed: bool = False) -> None:
        """Prepare.

        Args:
            contract: What the model takes and gives.
            first: Those to begin with.
            preprocessed: Whether preprocess.py makes the inputs, so that no instance can be encoded here.
        """
        self._first = list(first)
        own = RequestSchema.of(contract.model)
        self._sources = [(own, False)] if contract.requests.declared else [(own, True)]
        if contract.requests.declared and not preprocessed:
            self._sources.insert(0, (contract.requests, True))

    def __iter__(self) -> Iterator[Trial]:
        """Give them, anew each time."""
        yield from self._first
        for requests, sendable in self._sources:
            reader = InstanceReader(requests, 1)
            for instance in made_up(requests):
                try:
                    encoded = reader.read(msgspec.json.encode(instance)).encoded[0]
                except Problem:
                    continue  # an example, or a rule, leaves no room for another size
                yield Trial(encoded, MADE_UP, instance if sendable else None)


def made_up(requests: RequestSchema) -> Iterator[dict[str, Any]]:
    """Make instances: of zeros and of ones, since some models divide by their input, in the sizes that may fit.

    Args:
        requests: What an instance is.

    Yields:
        Instances, the smallest first.
    """
    for shapes in shapes_to_try([feature.dims for feature in requests.features]):
        for one in (False, True):
            yield {
                feature.name: feature.made_up(shape, one=one)
                for feature, shape in zip(requests.features, shapes, strict=True)
            }


def with_example(contract: Contract, instance: Mapping[str, Any] | None) -> Contract:
    """Give a contract whose examples are those of an instance that the model has answered.

    Args:
        contract: Whose.
        instance: As a client sends it; None leaves the examples as they are.
    """
    if instance is None:
        return contract
    features = tuple(
        replace(feature, example=instance.get(feature.name, feature.example)) for feature in contract.requests.features
    )
    return replace(contract, requests=replace(contract.requests, features=features))
