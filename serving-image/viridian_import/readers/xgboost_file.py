"""XGBoost's own files: JSON and UBJ."""

from typing import Any

import xgboost

from viridian_import.faults import ImportFault
from viridian_import.messages import Load
from viridian_import.readers.estimator import Estimator
from viridian_import.readers.model import Original
from viridian_serving.triton.native_model import of_xgboost


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
    return Estimator.of(of_xgboost(booster), path)
