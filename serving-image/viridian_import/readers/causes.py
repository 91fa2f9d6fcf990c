"""Why the ONNX file of an estimator may answer rows otherwise, where that is known."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from sklearn.metrics.pairwise import nan_euclidean_distances

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
    for place, each in steps(estimator):
        if type(each).__name__ == "KNNImputer":
            yield from _donors(place or type(each).__name__, each, _reaching(each, estimator, given))
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
    tied = int(np.count_nonzero(_equal(inner, outer)))
    if tied:
        yield (
            f"on {tied} of these {len(distances)} rows, {_rounding(counted)}. Train without duplicates, or with "
            "another n_neighbors"
        )


def _donors(place: str, imputer: Any, rows: Any) -> Iterator[str]:  # noqa: ANN401
    """Say what fills in missing numbers, and in how many rows that is one of several training rows equally far."""
    missing = np.isnan(rows)
    if not missing.any():
        return
    distances, counted = nan_euclidean_distances(rows, imputer._fit_X), imputer.n_neighbors
    tied = np.zeros(len(rows), dtype=bool)
    for column in np.flatnonzero(missing.any(axis=0)):
        donors = ~np.isnan(imputer._fit_X[:, column])
        if donors.sum() > counted:
            nearest = np.sort(distances[:, donors], axis=1)
            tied |= missing[:, column] & _equal(nearest[:, counted - 1], nearest[:, counted])
    blank = missing.all(axis=1)
    tied &= ~blank
    why = []
    if blank.any():
        why.append(f"in {blank.sum()} of them every number is missing, for which it has no converter")
    if tied.any():
        why.append(f"in {tied.sum()} of them {_rounding(counted)}")
    if not (blank | tied).all():
        why.append("in ONNX its distances have 32 bits, too few where columns are not scaled")
    yield (
        f"step {place!r} (KNNImputer) fills in {missing.any(axis=1).sum()} of these {len(rows)} rows from the nearest "
        f"training rows: {'; '.join(why)}. Put a StandardScaler before it, use another n_neighbors, or impute with "
        "SimpleImputer"
    )


def _reaching(step: Any, estimator: Any, given: Any) -> Any:  # noqa: ANN401
    """The numbers that a step is given, for these rows of the whole estimator."""
    seen: list[Any] = []
    transform = step.transform

    def watched(rows: Any) -> Any:  # noqa: ANN401
        seen.append(np.asarray(rows, dtype=float))
        return transform(rows)

    step.transform = watched
    try:
        getattr(estimator, "predict" if hasattr(estimator, "predict") else "transform")(given)
    finally:
        del step.transform
    return seen[0]


def _equal(inner: Any, outer: Any) -> Any:  # noqa: ANN401
    return outer - inner <= _EQUAL * np.maximum(outer, 1.0)


def _rounding(counted: int) -> str:
    return (
        f"the training rows that are number {counted} and {counted + 1} by their distance are equally far, and "
        "rounding decides which of them counts: scikit-learn picks one and ONNX Runtime the other, and neither is wrong"
    )
