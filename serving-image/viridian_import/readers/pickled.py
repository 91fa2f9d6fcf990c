"""Pickles: joblib's, Python's own, cloudpickle's. Whoever made one decides what loading it does."""

import warnings
from collections.abc import Sequence
from typing import Any

import joblib

from viridian_import.faults import ImportFault
from viridian_import.messages import Load
from viridian_import.readers.estimator import Estimator
from viridian_import.readers.model import Original
from viridian_import.readers.versions import mismatches


def read(request: Load) -> Original:
    """Load a pickle; see reading.read()."""
    path = request.path
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # joblib reads what pickle, cloudpickle and joblib write, compressed or not.
        loaded = joblib.load(path)
    return of_object(loaded, path, mismatches(caught))


def of_object(loaded: Any, path: str, notices: Sequence[str] = ()) -> Original:  # noqa: ANN401
    """Take what was in a file as a model.

    Args:
        loaded: What it held.
        path: The file.
        notices: What was warned of when it was loaded.

    Raises:
        ImportFault: It is no model.
    """
    package, kind = type(loaded).__module__.partition(".")[0], type(loaded).__name__
    if (package, kind) == ("lightgbm", "Booster"):
        from viridian_import.readers.lightgbm_file import of_booster

        return of_booster(loaded)
    if (package, kind) == ("xgboost", "Booster"):
        from viridian_import.readers.xgboost_file import of_booster as of_xgboost

        return of_xgboost(loaded)
    if not hasattr(loaded, "predict") and not hasattr(loaded, "transform"):
        held = f"a dictionary with {', '.join(map(repr, loaded))}" if isinstance(loaded, dict) else f"a {kind}"
        raise ImportFault(f"{path} holds {held}, and no model with predict(); save the model itself")
    if not hasattr(loaded, "get_params"):
        raise ImportFault(
            f"{path} holds a {type(loaded).__module__}.{kind}, which is no estimator of scikit-learn, XGBoost or "
            "LightGBM; export it to ONNX with its own library, and give that file to viridian import"
        )
    return Estimator.of(loaded, path, notices)
