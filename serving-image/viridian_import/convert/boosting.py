"""Tells skl2onnx how the estimators of XGBoost and LightGBM are converted, wherever they stand in a pipeline."""

from collections.abc import Collection
from typing import Any

from scipy.sparse import issparse
from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)

from viridian_import.convert.steps import steps

_CLASSIFIER_OPTIONS = {"nocl": [True, False], "zipmap": [True, False, "columns"], "raw_scores": [True, False]}


def register(packages: Collection[str]) -> None:
    """Make the estimators of these packages known.

    Args:
        packages: Names of modules that the model comes from.
    """
    if "xgboost" in packages:
        import xgboost
        from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost

        for kind in (xgboost.XGBClassifier, xgboost.XGBRFClassifier):
            _register_classifier(kind, f"XGBoost{kind.__name__}", convert_xgboost)
        for kind in (xgboost.XGBRegressor, xgboost.XGBRFRegressor):
            _register_regressor(kind, f"XGBoost{kind.__name__}", convert_xgboost)
    if "lightgbm" in packages:
        import lightgbm
        from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm

        _register_classifier(lightgbm.LGBMClassifier, "LightGbmLGBMClassifier", convert_lightgbm)
        _register_regressor(lightgbm.LGBMRegressor, "LightGbmLGBMRegressor", convert_lightgbm)


def number_features(estimator: Any) -> None:  # noqa: ANN401
    """Call the features of XGBoost's trees f0, f1, …, which is all that its converter can read.

    Args:
        estimator: A copy, which is changed.
    """
    for _, each in steps(estimator):
        if type(each).__module__.startswith("xgboost.") and hasattr(each, "get_booster"):
            booster = each.get_booster()
            booster.feature_names = [f"f{i}" for i in range(booster.num_features())]


def misses_zeros(estimator: Any, row: Any) -> bool:  # noqa: ANN401
    """Whether XGBoost takes zeros for missing values: those that a sparse matrix leaves out.

    Args:
        estimator: A pipeline, or another one, that was fitted.
        row: One that it answers.
    """
    if not hasattr(estimator, "steps") or len(estimator.steps) < 2:
        return False
    last = estimator.steps[-1][1]
    return type(last).__module__.startswith("xgboost.") and issparse(estimator[:-1].transform(row))


def _register_classifier(kind: type, alias: str, converter: object) -> None:
    update_registered_converter(
        kind, alias, calculate_linear_classifier_output_shapes, converter, options=_CLASSIFIER_OPTIONS
    )


def _register_regressor(kind: type, alias: str, converter: object) -> None:
    update_registered_converter(kind, alias, calculate_linear_regressor_output_shapes, converter)
