"""Missing strings: pandas says NaN, which no string of ONNX can be; the empty string says it instead."""

import copy
from typing import Any

import numpy as np

from viridian_import.convert.steps import steps


def told_by_empty_strings(estimator: Any) -> Any:  # noqa: ANN401
    """Return a copy of an estimator that takes the empty string for what the estimator takes NaN for."""
    readied = copy.deepcopy(estimator)
    for _, each in steps(readied):
        if type(each).__name__ == "SimpleImputer" and _of_strings(each.statistics_) and _unequal(each.missing_values):
            each.missing_values = ""
        elif type(each).__name__ in ("OneHotEncoder", "OrdinalEncoder") and hasattr(each, "categories_"):
            each.categories_ = [_filled(categories) for categories in each.categories_]
    return readied


def _of_strings(values: Any) -> bool:  # noqa: ANN401
    return any(isinstance(value, str) for value in np.asarray(values, dtype=object).tolist())


def _unequal(value: object) -> bool:
    """Whether it says that a value is missing."""
    return value is None or value is not value or (isinstance(value, float) and np.isnan(value))


def _filled(categories: Any) -> Any:  # noqa: ANN401
    if not _of_strings(categories):
        return categories
    return np.array(["" if _unequal(value) else value for value in categories.tolist()], dtype=object)
