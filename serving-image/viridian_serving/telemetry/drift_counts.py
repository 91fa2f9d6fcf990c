"""Values that users send and get, counted on the bins of the baseline beside the model."""

import logging
import math
import struct
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from viridian_serving.codec.tensors import DataType
from viridian_serving.codec.tensors import Kind as ValueKind
from viridian_serving.contract.baseline_file import FILE, Baseline, Distribution
from viridian_serving.contract.contract import Contract
from viridian_serving.contract.feature_metadata import FeaturePlace, places
from viridian_serving.inference.request_context import RequestContext
from viridian_shared.counts.metric_names import DRIFT_BASELINE, DRIFT_OBSERVED
from viridian_shared.drift import MISSING, OTHER, Kind

LOG = logging.getLogger("viridian.api")

MAX_FEATURES: Final = 32
"""Features that are counted, the first of the baseline; each is up to thirteen bins, and each bin two series."""
MAX_PREDICTIONS: Final = 8
_CLOSE: Final = 1e-5
"""How far, relative to itself, an answer may be from that of the original model, and still be the same."""


@dataclass(slots=True, eq=False)
class _Variable:
    """One variable, and how many values fell into each bin."""

    kind: Kind
    name: str
    baseline: Mapping[str, int]
    bounds: tuple[float, ...]
    counts: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = dict.fromkeys(self.baseline, 0)

    def observe_numbers(self, values: Sequence[float]) -> None:
        """Count numbers; NaN is a missing one."""
        ordered = sorted(value for value in values if not math.isnan(value))
        *inner, highest = self.bounds
        cuts = [bisect_left(ordered, bound) for bound in inner]
        cuts = [0, *cuts, bisect_right(ordered, highest), len(ordered)]
        for name, (start, end) in zip(self.counts, pairwise(cuts), strict=False):
            self.counts[name] += end - start
        self.counts[MISSING] += len(values) - len(ordered)

    def observe_categories(self, values: Iterable[str]) -> None:
        """Count categories; the empty one is a missing one."""
        for value, number in Counter(values).items():
            self.counts[value if value in self.counts else OTHER if value else MISSING] += number


class DriftCounts:
    """Counts since the model was loaded. There are no more series than the baseline has bins, whatever comes."""

    def __init__(self, contract: Contract, baseline: Baseline) -> None:
        """Start at zero.

        Args:
            contract: What the API takes and gives. Its sensitive features are not counted.
            baseline: The one that lies beside the model. What the contract lacks of it is logged and not counted.
        """
        known = {place.name: place for place in places(contract)}
        self._features: list[tuple[FeaturePlace, Distribution, _Variable]] = []
        self._predictions: list[tuple[Callable[[dict[str, Any]], Any], _Variable]] = []
        passed_over = []
        for name, distribution in baseline.features.items():
            place = known.get(name)
            if place is None or not _fits(distribution, place):
                passed_over.append(name)
            elif len(self._features) < MAX_FEATURES:
                bounds = tuple(_as_packed(bound, place.datatype) for bound in distribution.bounds)
                self._features.append((place, distribution, _variable(Kind.FEATURE, name, distribution, bounds)))
        for name, distribution in baseline.predictions.items():
            member = _member(contract, name)
            if member is None or distribution.lengths:
                passed_over.append(name)
            elif len(self._predictions) < MAX_PREDICTIONS:
                bounds = _around(distribution.bounds, contract.answers.decimals)
                self._predictions.append((member, _variable(Kind.PREDICTION, name, distribution, bounds)))
        if passed_over:
            LOG.info("of %s, not counted: %s", FILE, ", ".join(passed_over[:MAX_FEATURES]))

    def observe(self, requests: Sequence[RequestContext]) -> None:
        """Count what users sent and got.

        Args:
            requests: Each with its instances and predictions.
        """
        columns: dict[int, Sequence[Any]] = {}
        for place, distribution, variable in self._features:
            if place.tensor not in columns:
                # All instances of all requests at once: to unpack each would cost more than what is counted.
                raw = b"".join(part.tensors[place.tensor] for context in requests for part in context.instances)
                columns[place.tensor] = _unpacked(raw, place.datatype)
            values = columns[place.tensor][place.element :: place.width]
            if distribution.lengths:
                variable.observe_numbers([len(value) if value else math.nan for value in values])
            elif place.numeric:
                variable.observe_numbers(values)
            else:
                # Where an input holds nothing but numbers, true is 1.
                variable.observe_categories(
                    map(_category, map(bool, values) if place.kind is ValueKind.BOOLEAN else values)
                )
        for member, variable in self._predictions:
            found = [
                value for context in requests for each in context.predictions if (value := member(each)) is not None
            ]
            if variable.bounds:
                variable.observe_numbers([value for value in found if isinstance(value, int | float)])
            else:
                variable.observe_categories(map(_category, found))

    def families(self, names: Sequence[str], identity: Sequence[str]) -> Iterator[Metric]:
        """Render them.

        Args:
            names: The labels that every series has.
            identity: Their values.
        """
        variables = [*(each for *_, each in self._features), *(each for _, each in self._predictions)]
        if not variables:
            return
        labels = (*names, "kind", "variable")
        observed = CounterMetricFamily(
            DRIFT_OBSERVED.removesuffix("_total"), "Values on the baseline's bins", labels=(*labels, "bin")
        )
        baseline = GaugeMetricFamily(DRIFT_BASELINE, "Values of the baseline in a bin", labels=(*labels, "bin"))
        for each in variables:
            values = (*identity, each.kind.value, each.name)
            for name, count in each.baseline.items():
                observed.add_metric((*values, name), each.counts[name])
                baseline.add_metric((*values, name), count)
        yield from (observed, baseline)


def _fits(distribution: Distribution, place: FeaturePlace) -> bool:
    """Whether values of that place can be counted on these bins."""
    if distribution.lengths:
        return place.kind is ValueKind.STRING
    return place.numeric is bool(distribution.bounds)


def _variable(kind: Kind, name: str, distribution: Distribution, bounds: tuple[float, ...]) -> _Variable:
    """Return a variable without the bins that rounding has left empty: equal bounds have nothing between them."""
    counts = dict(distribution.counts)
    inner = list(counts)[1:-2]
    for (bin_name, following), (low, high) in zip(pairwise(inner), pairwise(bounds), strict=False):
        if low == high:
            counts[following] += counts.pop(bin_name)
    return _Variable(kind, name, counts, (*dict.fromkeys(bounds[:-1]), *bounds[-1:]))


def _member(contract: Contract, variable: str) -> Callable[[dict[str, Any]], Any] | None:
    """Return what finds an output's value in a prediction; None where it is not answered."""
    answers = contract.answers
    name, bracket, rest = variable.partition("[")
    path: tuple[str | int, ...]
    if bracket and not rest.removesuffix("]").isdecimal():
        return None
    if name == answers.prediction:
        path = ("prediction",)
    elif name == answers.probabilities and answers.top_k is None:
        path = ("probabilities",)
    elif any(tensor.name == name for tensor in answers.others):
        path = ("outputs" if answers.prediction or answers.probabilities else "prediction", name)
    else:
        return None
    if bracket:
        position = int(rest.removesuffix("]"))
        named = path[0] == "probabilities" and position < len(answers.classes)
        path = (*path, answers.classes[position] if named else position)
    return lambda prediction: reduce(_item, path, prediction)


def _item(holder: Any, key: str | int) -> Any:  # noqa: ANN401  JSON values
    if isinstance(holder, dict):
        return holder.get(key)
    return holder[key] if isinstance(holder, list) and isinstance(key, int) and key < len(holder) else None


def _as_packed(bound: float, datatype: DataType) -> float:
    """Return a bound as the values that are equal to it come: a float of 32 bits is another number than one of 64."""
    if not datatype.is_float:
        return bound
    try:
        value: float = struct.unpack(f"<{datatype.value}", struct.pack(f"<{datatype.value}", bound))[0]
    except OverflowError:
        return math.copysign(math.inf, bound)
    return value


def _around(bounds: tuple[float, ...], decimals: int | None) -> tuple[float, ...]:
    """Return bounds that equal answers of the converted model do not miss by a rounding error."""
    if not bounds:
        return ()
    if decimals is not None:
        return tuple(round(bound, decimals) for bound in bounds)
    *inner, highest = bounds
    return (*(bound - _CLOSE * abs(bound) for bound in inner), highest + _CLOSE * abs(highest))


def _unpacked(raw: bytes, datatype: DataType) -> Sequence[Any]:
    if datatype is not DataType.BYTES:
        return struct.unpack(f"<{len(raw) // datatype.size}{datatype.value}", raw)
    texts, position = [], 0
    while position < len(raw):
        end = position + 4 + int.from_bytes(raw[position : position + 4], "little")
        texts.append(raw[position + 4 : end].decode("utf-8", "replace"))
        position = end
    return texts


def _category(value: Any) -> str:  # noqa: ANN401  a JSON value
    return str(value).lower() if isinstance(value, bool) else str(value)
