"""How features and predictions are distributed in the sample, on fixed bins, to compare traffic with later."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from viridian_import.learn.draft import Draft
from viridian_import.messages import Column, Output, Role
from viridian_import.sample.table import Table
from viridian_serving.codec.tensors import Kind
from viridian_serving.contract.baseline_file import Baseline, Distribution

_BINS: Final = 10
_MOST_OUTPUTS: Final = 100
"""Elements of an output that have a histogram each."""
NO_BINS: Final = Baseline({}, {})


def baseline(
    features: Table,
    drafts: Sequence[Draft],
    outputs: Sequence[Output],
    answers: Mapping[str, Sequence[Any]],
    bins: Baseline = NO_BINS,
) -> dict[str, Any]:
    """Count the sample.

    Args:
        features: Of the sample.
        drafts: Of the features. Sensitive ones are left out.
        outputs: Of the model.
        answers: What the original answered to the sample, by output; None in rows that it refused.
        bins: Another version's, whose edges are kept: what both count can be compared then.

    Returns:
        A JSON value: ``rows``; for each feature, and each prediction, ``edges`` and ``counts`` (one more than edges:
        ``counts[i]`` are the values from ``edges[i - 1]`` on and below ``edges[i]``), ``low`` and ``high``, or
        ``categories``; and ``missing``.
    """
    counted = {each.name: _predictions(each, answers[each.name], bins.predictions) for each in outputs}
    return _whole(features, drafts, counted, bins)


def of_columns(
    features: Table, drafts: Sequence[Draft], outputs: Mapping[str, Column], bins: Baseline = NO_BINS
) -> dict[str, Any]:
    """Count a table whose predictions are columns of it.

    Args:
        features: Of the sample.
        drafts: Of the features. Sensitive ones are left out.
        outputs: True values, by the name of the output that answers them: numbers with fractions, or else labels.
        bins: See baseline().

    Returns:
        See baseline().
    """
    counted = {
        name: histogram(column.values, bins.predictions.get(name))
        if column.kind is Kind.NUMBER
        else _counted(column.values)
        for name, column in outputs.items()
    }
    return _whole(features, drafts, counted, bins)


def _whole(features: Table, drafts: Sequence[Draft], predictions: Mapping[str, Any], bins: Baseline) -> dict[str, Any]:
    return {
        "rows": features.rows,
        # What nobody may see is in no file beside the model, not even as the lowest and the highest of the sample.
        "features": {
            each.name: _feature(features, each, bins.features.get(each.name)) for each in drafts if not each.sensitive
        },
        "predictions": predictions,
    }


def histogram(values: Sequence[float | None], bins: Distribution | None = None) -> dict[str, Any]:
    """Count numbers between the deciles of themselves, or between the edges of other bins where these have some."""
    present = sorted(value for value in values if value is not None)
    kept = bins.bounds[1:-1] if bins is not None and present else ()
    edges = list(kept) or (sorted({present[len(present) * i // _BINS] for i in range(1, _BINS)}) if present else [])
    counts = [0] * (len(edges) + 1)
    for value in present:
        counts[bisect_right(edges, value)] += 1
    beyond = [*present[:1], *present[-1:], *kept]  # no edge is outside, also where the sample has nothing beyond it
    low, high = (min(beyond), max(beyond)) if beyond else (None, None)
    return {"edges": edges, "counts": counts, "low": low, "high": high, "missing": len(values) - len(present)}


def _feature(features: Table, draft: Draft, bins: Distribution | None) -> dict[str, Any]:
    values = features[draft.name].values
    if draft.kind in (Kind.NUMBER, Kind.INTEGER):
        return histogram(values, bins)
    if draft.kind is Kind.STRING and not draft.categories:
        # Texts are nobody's business beyond the sample; how long they are still tells a change.
        return {"lengths": histogram([None if value is None else len(value) for value in values], bins)}
    return _counted(values)


def _predictions(output: Output, values: Sequence[Any], bins: Mapping[str, Distribution]) -> Any:  # noqa: ANN401  a JSON value
    rows = [value if isinstance(value, list) else [value] for value in values if value is not None]
    if any(isinstance(each, list) for row in rows for each in row):
        return {"lengths": histogram([len(row) for row in rows], bins.get(output.name))}

    def count(found: Sequence[Any], name: str) -> dict[str, Any]:
        return _counted(found) if output.role is Role.LABEL else histogram(found, bins.get(name))

    if len({len(row) for row in rows}) > 1:  # a number for each token, and texts differ in theirs
        return count([each for row in rows for each in row], output.name)
    width = min(len(rows[0]), _MOST_OUTPUTS) if rows else 0
    if width == 1:
        return count([row[0] for row in rows], output.name)
    return [count([row[i] for row in rows], f"{output.name}[{i}]") for i in range(width)]


def _counted(values: Sequence[Any]) -> dict[str, Any]:
    found = Counter(_category(value) for value in values if value is not None)
    return {"categories": dict(sorted(found.items())), "missing": sum(value is None for value in values)}


def _category(value: Any) -> str:  # noqa: ANN401
    return str(value).lower() if isinstance(value, bool) else str(value)
