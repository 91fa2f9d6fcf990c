"""Why the ONNX file of an estimator may answer rows otherwise, where that is known."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from viridian_import.convert import words
from viridian_import.convert.steps import steps

_EQUAL: Final = 1e-6
"""Relative difference below which two distances are equal to numbers of 32 bits."""


def causes(estimator: Any, given: Any) -> Iterator[str]:  # noqa: ANN401
    """Yield sentences.

    Args:
        estimator: It was fitted.
        given: Rows that its ONNX file answers otherwise, as the estimator takes them.
    """
    for _, each in steps(estimator):
        if getattr(each, "method", None) == "isotonic" and hasattr(each, "calibrated_classifiers_"):
            yield (
                "skl2onnx does not interpolate between the points of an isotonic calibration; calibrate with "
                "method='sigmoid'"
            )
    if any(getattr(each, "lowercase", False) for _, each in steps(estimator)) and _beyond_ascii(given):
        yield from _case()
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    if hasattr(last, "kneighbors") and hasattr(last, "n_neighbors"):
        yield from _ties(
            last, estimator[:-1].transform if last is not estimator and len(estimator) > 1 else None, given
        )


def _beyond_ascii(given: Any) -> bool:  # noqa: ANN401
    return any(isinstance(each, str) and not each.isascii() for each in np.ravel(np.asarray(given, dtype=object)))


def _case() -> Iterator[str]:
    if not words.has_locale():
        yield (
            f"this machine lacks the locale {words.LOCALE}, so letters beyond ASCII keep their case in the ONNX file; "
            f"install it (on Debian and Ubuntu: apt-get install locales && localedef -i en_US -f UTF-8 {words.LOCALE}) "
            "and import again"
        )


def _ties(model: Any, prepare: Callable[[Any], Any] | None, given: Any) -> Iterator[str]:  # noqa: ANN401
    """Count rows at which two neighbours are equally far, and only one of them counts."""
    counted = int(getattr(model, "n_neighbors_", model.n_neighbors))
    if counted >= model.n_samples_fit_:
        return
    distances, _ = model.kneighbors(prepare(given) if prepare else given, n_neighbors=counted + 1)
    inner, outer = distances[:, counted - 1], distances[:, counted]
    tied = int(np.count_nonzero(outer - inner <= _EQUAL * np.maximum(outer, 1.0)))
    if tied:
        yield (
            f"on {tied} of these {len(distances)} rows, the training rows that are the {counted}th and {counted + 1}th "
            "nearest are equally far, and rounding decides which of them counts: scikit-learn picks one and ONNX "
            "Runtime the other, and neither is wrong. Train without duplicates, or with another n_neighbors"
        )
