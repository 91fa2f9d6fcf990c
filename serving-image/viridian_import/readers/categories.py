"""Columns of pandas' type category that an estimator was trained with."""

from typing import Any

from viridian_import.convert.steps import steps


def categories(estimator: Any) -> list[str]:  # noqa: ANN401
    """Return their names, or their positions where the estimator knows no names."""
    return [name for _, each in steps(estimator) for name in _of(each)]


def _of(estimator: Any) -> list[str]:  # noqa: ANN401
    package = type(estimator).__module__.partition(".")[0]
    if package == "lightgbm" and getattr(estimator, "booster_", None) is not None:
        if not estimator.booster_.pandas_categorical:
            return []
        info = estimator.booster_.dump_model(num_iteration=1)["feature_infos"]
        return [name for name in estimator.booster_.feature_name() if info.get(name, {}).get("values")]
    if package == "xgboost" and hasattr(estimator, "get_booster"):
        booster = estimator.get_booster()
        names = booster.feature_names or range(booster.num_features())
        return [str(name) for name, kind in zip(names, booster.feature_types or (), strict=False) if kind == "c"]
    if getattr(estimator, "categorical_features", None) == "from_dtype":
        chosen = getattr(estimator, "is_categorical_", None)
        names = getattr(estimator, "feature_names_in_", ())
        return [] if chosen is None else [str(name) for name, is_one in zip(names, chosen, strict=True) if is_one]
    return []
