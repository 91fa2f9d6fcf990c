"""XGBoost's own files: JSON and UBJ."""

from typing import Any

import xgboost

from viridian_import.messages import Load
from viridian_import.readers.estimator import Estimator
from viridian_import.readers.model import Original
from viridian_serving.triton.native_model import of_xgboost


def read(request: Load) -> Original:
    """Load a file of XGBoost; see reading.read()."""
    booster = xgboost.Booster()
    booster.load_model(request.path)
    return of_booster(booster, request.path)


def of_booster(booster: Any, path: str = "the model") -> Original:  # noqa: ANN401
    """Take a booster as the estimator that would have trained it.

    Args:
        booster: With its trees.
        path: The file that it was in.
    """
    return Estimator.of(of_xgboost(booster), path)
