"""What the numbers of a model mean to those who observe them: names, ranges, labels, secrets.

Triton's configuration knows names and types only. Whoever knows more says it here, by making a ``Meaning`` of it.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from viridian_serving.schema import DataType, ModelSchema

MAX_FEATURES: Final = 32
"""Features that metrics tell apart; each is some fifteen series."""


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


@dataclass(frozen=True)
class Meaning:
    """What is known about one model."""

    features: tuple[Feature, ...] = ()
    """Those that metrics tell apart."""
    labels: tuple[str, ...] = ()
    """Labels that it may predict, as far as they are known beforehand."""
    sensitive: frozenset[str] = field(default_factory=frozenset)
    """Members of an instance that no log may show."""


def meaning_of(schema: ModelSchema) -> Meaning:
    """Give what can be known from Triton's configuration alone.

    Args:
        schema: What the model takes and gives.

    Returns:
        The first numbers of every instance as features, named like ``age`` or ``X[3]``; nothing else.
    """
    features: list[Feature] = []
    for position, tensor in enumerate(schema.inputs):
        if tensor.elements is None or tensor.datatype in (DataType.BYTES, DataType.BOOL):
            continue
        for element in range(min(tensor.elements, MAX_FEATURES - len(features))):
            name = tensor.name if tensor.elements == 1 else f"{tensor.name}[{element}]"
            features.append(Feature(name, position, element))
    return Meaning(tuple(features))


def confidence_of(prediction: dict[str, Any]) -> float | None:
    """Give how sure the model was, if its answer says so.

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
    """Give the label that was predicted, as a metric can show it; None when it is no label."""
    label = prediction.get("prediction")
    if isinstance(label, bool):
        return "true" if label else "false"
    return str(label) if isinstance(label, (str, int)) else None
