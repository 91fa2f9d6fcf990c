"""XGBoost's own files: JSON and UBJ."""

import json
from typing import Any

import xgboost

from viridian_import.faults import ImportFault
from viridian_import.messages import Load
from viridian_import.readers.estimator import Estimator
from viridian_import.readers.model import Original


def read(request: Load) -> Original:
    """Load a file of XGBoost; see reading.read()."""
    path = request.path
    booster = xgboost.Booster()
    try:
        booster.load_model(path)
    except xgboost.core.XGBoostError as error:
        words = " ".join(str(error).split())[:200]
        raise ImportFault(
            f"{path} cannot be loaded by XGBoost {xgboost.__version__} ({words}); save it again with "
            "model.save_model(path)"
        ) from None
    return of_booster(booster, path)


def of_booster(booster: Any, path: str = "the model") -> Original:  # noqa: ANN401
    """Take a booster as the estimator that would have trained it.

    Args:
        booster: With its trees.
        path: The file that it was in.
    """
    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    kind = xgboost.XGBClassifier if objective.startswith(("binary:logi", "multi:")) else xgboost.XGBRegressor
    estimator = kind()
    # Its estimators load nothing but files and bytes, and learn the number of classes from them.
    estimator.load_model(booster.save_raw("ubj"))
    return Estimator.of(estimator, path)
