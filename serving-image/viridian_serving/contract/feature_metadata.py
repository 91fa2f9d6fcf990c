"""What the numbers of a model mean to those who observe them: names, ranges, labels, secrets.

Triton's configuration knows names and types only; a schema.yaml says more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from viridian_serving.codec.features import Slot
from viridian_serving.codec.tensors import DataType, Kind
from viridian_serving.contract.contract import Contract

MAX_FEATURES: Final = 32
"""Features that metrics tell apart; each is some fifteen series."""
_MOST_PLACES: Final = 1024
"""Elements of an input that have a place each."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One number of every instance."""

    name: str
    tensor: int
    """Which input holds it, in the schema's order."""
    element: int
    """Where in the flattened input."""
    low: float | None = None
    high: float | None = None
    """The range in which it is expected, both ends included."""
    nullable: bool = False
    """Whether it may be NaN, which is no number to observe."""


@dataclass(frozen=True)
class FeatureMetadata:
    """What is known about one model."""

    features: tuple[Feature, ...] = ()
    """Those that metrics tell apart."""
    labels: tuple[str, ...] = ()
    """Labels that it may predict, as far as they are known beforehand."""
    sensitive: frozenset[str] = field(default_factory=frozenset)
    """Members of an instance that no log may show."""


def feature_metadata(contract: Contract) -> FeatureMetadata:
    """Return what is known about a model.

    Args:
        contract: What its API takes and gives.

    Returns:
        The first numbers of every instance as features, named as in schema.yaml, or else like ``age`` or ``X[3]``.
        Sensitive ones are not observed.
    """
    requests = contract.requests
    features = [
        feature for position, slot in enumerate(contract.slots) for feature in _features(contract, position, slot)
    ]
    sensitive = frozenset(feature.name for feature in requests.features if feature.sensitive)
    return FeatureMetadata(tuple(features[:MAX_FEATURES]), contract.answers.classes, sensitive)


def _features(contract: Contract, position: int, slot: Slot) -> Iterator[Feature]:
    tensor = slot.tensor
    width = slot.width
    if width is None or tensor.datatype in (DataType.BYTES, DataType.BOOL):
        return
    for element in range(min(width, MAX_FEATURES)):
        if not slot.sources:
            # preprocess.py may give NaN for what is not known.
            name = _numbered(tensor.name, width, element)
            yield Feature(name, position, element, nullable=tensor.datatype.is_float)
            continue
        source = contract.requests.features[slot.sources[element if slot.row else 0]]
        if not source.sensitive:
            name = source.name if slot.row else _numbered(source.name, width, element)
            yield Feature(name, position, element, source.minimum, source.maximum, source.nullable)


@dataclass(frozen=True, slots=True)
class FeaturePlace:
    """Where one element of every instance is, whatever its type."""

    name: str
    tensor: int
    """Which input holds it, in the schema's order."""
    element: int
    """Where in the flattened input."""
    width: int
    """Elements of that input in an instance."""
    datatype: DataType
    kind: Kind

    @property
    def numeric(self) -> bool:
        """Whether it is a number to a person."""
        return self.kind in (Kind.NUMBER, Kind.INTEGER)


def places(contract: Contract) -> Iterator[FeaturePlace]:
    """Return where elements are, named as by feature_metadata(); none of sensitive features, few of large inputs."""
    for position, slot in enumerate(contract.slots):
        width, datatype = slot.width, slot.tensor.datatype
        for element in range(min(width or 0, _MOST_PLACES)):
            if not slot.sources:
                name, kind = _numbered(slot.tensor.name, width or 0, element), datatype.kind
            else:
                source = contract.requests.features[slot.sources[element if slot.row else 0]]
                if source.sensitive:
                    continue
                name = source.name if slot.row else _numbered(source.name, width or 0, element)
                kind = source.kind
            yield FeaturePlace(name, position, element, width or 0, datatype, kind)


def _numbered(name: str, width: int, element: int) -> str:
    return name if width == 1 else f"{name}[{element}]"


def confidence_of(prediction: dict[str, Any]) -> float | None:
    """Return how sure the model was, if its answer says so.

    Args:
        prediction: One of the answer.

    Returns:
        Its member ``confidence``, else the highest number of an output named ``probabilities``.
    """
    confidence = prediction.get("confidence")
    if confidence is None and isinstance(outputs := prediction.get("prediction"), dict):
        scores = outputs.get("probabilities")
        confidence = max(scores) if isinstance(scores, list) and scores else None
    return confidence if isinstance(confidence, float) else None


def label_of(prediction: dict[str, Any]) -> str | None:
    """Return the label that was predicted, as a metric can show it; None when it is no label."""
    label = prediction.get("prediction")
    if isinstance(label, bool):
        return "true" if label else "false"
    return str(label) if isinstance(label, (str, int)) else None
