"""Which columns an estimator has learnt as texts, whatever a table of them looks like."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


def columns_of_texts(estimator: Any, names: Sequence[str]) -> Iterator[str]:  # noqa: ANN401
    """Yield the columns of which an encoder or a vectorizer was fitted on texts.

    Args:
        estimator: It was fitted.
        names: Of the columns that it is given, in their order.
    """
    if hasattr(estimator, "steps"):
        # Imputers may come before an encoder; they leave the columns where they are.
        first = next((inner for _, inner in estimator.steps if _learns(inner)), None)
        if first is not None:
            yield from columns_of_texts(first, names)
    elif hasattr(estimator, "transformers_"):
        for _, inner, columns in estimator.transformers_:
            if _learns(inner):
                yield from columns_of_texts(inner, chosen(columns, names))
    elif hasattr(estimator, "build_analyzer"):
        yield from names
    elif len(categories := getattr(estimator, "categories_", ())) == len(names):
        for name, known in zip(names, categories, strict=True):
            if any(isinstance(each, str) for each in known):
                yield name


def chosen(columns: Any, names: Sequence[str]) -> list[str]:  # noqa: ANN401
    """Return the names of columns that are chosen by name, position, slice or mask."""
    if isinstance(columns, str):
        return [columns]
    if isinstance(columns, slice):
        if isinstance(columns.start, str) or isinstance(columns.stop, str):
            start = names.index(columns.start) if columns.start is not None else 0
            return list(names[start : names.index(columns.stop) + 1 if columns.stop is not None else None])
        return list(names[columns])
    picked = np.asarray(columns)
    if picked.dtype == bool:
        return [name for name, taken in zip(names, picked.tolist(), strict=True) if taken]
    return [each if isinstance(each, str) else names[each] for each in np.atleast_1d(picked).tolist()]


def _learns(estimator: Any) -> bool:  # noqa: ANN401
    return any(hasattr(estimator, each) for each in ("steps", "transformers_", "build_analyzer", "categories_"))
