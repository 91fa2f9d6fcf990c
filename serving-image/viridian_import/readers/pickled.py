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
    if isinstance(loaded, type):
        raise ImportFault(f"{path} holds the class {loaded.__name__}, and no model; fit one of it and save that")
    if not hasattr(loaded, "predict") and not (hasattr(loaded, "transform") and hasattr(loaded, "get_params")):
        raise ImportFault(f"{path} holds {_held(loaded)}, and no model with predict(); save {_instead(loaded)}")
    if not hasattr(loaded, "get_params"):
        raise ImportFault(
            f"{path} holds a {type(loaded).__module__}.{kind}, which is no estimator of scikit-learn, XGBoost or "
            "LightGBM; export it to ONNX with its own library, and give that file to viridian import"
        )
    return Estimator.of(loaded, path, notices)


def _held(loaded: Any) -> str:  # noqa: ANN401
    if isinstance(loaded, dict):
        return f"a dictionary with {', '.join(map(repr, loaded))}"
    kind = type(loaded).__name__
    if isinstance(loaded, list | tuple):
        return f"a {kind} of {', '.join(type(each).__name__ for each in loaded) or 'nothing'}"
    return f"a {kind}"


def _instead(loaded: Any) -> str:  # noqa: ANN401
    """What to save in place of it."""
    parts = loaded.values() if isinstance(loaded, dict) else loaded if isinstance(loaded, list | tuple) else ()
    if sum(hasattr(part, "fit") for part in parts) > 1:
        return "one pipeline of the steps that prepare the rows and the model: make_pipeline(step, model)"
    return "the model itself"
