# ruff: noqa: ANN401  these libraries have no types
"""Runs a model in the library that trained it. It is copied into the model repository, and its words with it.

``native.json`` beside the model, which `viridian import --native` writes (or `mlflow_folder`), says what the model is:

    format    sklearn, xgboost or lightgbm
    file      of the model
    layout    how it takes rows: "frame" of named columns, "array" without names, or "text", one column
    features  names and types (number, integer, string, boolean), in the model's order
    empty     features for which the empty string says that a value is missing
    outputs   names, Triton's types, sizes, and the method that gives each
    versions  of the packages that it was imported with, by name
"""

import json
import os
import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

try:
    from library_words import words_of  # beside this file in the repository, where nothing else of ours is found
except ModuleNotFoundError:
    from viridian_serving.artifacts.library_words import words_of

FILE = "native.json"
_NAMES = {"xgboost": ("xgboost", "xgboost-cpu")}
"""Packages that may be installed under other names."""
LIBRARIES = {"sklearn": "scikit-learn", "xgboost": "XGBoost", "lightgbm": "LightGBM"}
"""Their names, by format."""
_PLAIN = {"FP64": "float64", "INT64": "int64"}


class NativeModelError(Exception):
    """The model cannot be run here. The message is a sentence: what is wrong, and the way out."""


class NativeModel:
    """A model, loaded."""

    def __init__(self, folder: str, form: str) -> None:
        """Load it.

        Args:
            folder: Of the model, with native.json.
            form: sklearn, xgboost or lightgbm.

        Raises:
            NativeModelError: A package is missing, has another version, or cannot load it.
        """
        with open(os.path.join(folder, FILE), "rb") as file:
            described = json.load(file)
        _check_versions(described["versions"])
        self.features: list[dict[str, str]] = described["features"]
        self.outputs: list[dict[str, Any]] = described["outputs"]
        self.file: str = described["file"]
        self._layout = described["layout"]
        self._empty = set(described["empty"])
        self._model = _load(os.path.join(folder, self.file), form)

    def answer(self, columns: dict[str, Any]) -> list[Any]:
        """Answer rows.

        Args:
            columns: For each feature an array of one dimension; missing numbers are NaN.

        Returns:
            For each output an array with a row for each of those.
        """
        given = self._given(columns)
        found = {method: _array(self._method(method)(given)) for method in {each["method"] for each in self.outputs}}
        return [_as(found[each["method"]], each["type"]) for each in self.outputs]

    def _method(self, name: str) -> Any:
        return getattr(self._model, name)

    def _given(self, columns: dict[str, Any]) -> Any:
        import pandas as pd

        frame = pd.DataFrame({each["name"]: self._column(each, columns[each["name"]]) for each in self.features})
        if self._layout == "text":
            return frame.iloc[:, 0]
        return frame if self._layout == "frame" else frame.to_numpy()

    def _column(self, feature: dict[str, str], values: Any) -> Any:
        import pandas as pd

        if feature["type"] != "string":
            return values
        missing = feature["name"] in self._empty
        words = [np.nan if missing and value == "" else value for value in values.tolist()]
        # As read_csv() has them: str in pandas 3, object before.
        return pd.Series(words, dtype=pd.Series(["a"]).dtype)


class Booster:
    """A booster of LightGBM with the interface of an estimator."""

    def __init__(self, booster: Any) -> None:
        """Take a booster."""
        self._booster = booster

    def predict(self, frame: Any) -> Any:
        """Return its numbers: those of a regression, or chances."""
        return self._booster.predict(frame)

    def predict_proba(self, frame: Any) -> Any:
        """Return a chance for each class."""
        chances = np.asarray(self._booster.predict(frame))
        return chances if chances.ndim == 2 else np.stack([1 - chances, chances], axis=1)

    def predict_class(self, frame: Any) -> Any:
        """Return the number of the most likely class."""
        return self.predict_proba(frame).argmax(axis=1)


def of_xgboost(booster: Any) -> Any:
    """Return the estimator that would have trained a booster of XGBoost."""
    import xgboost

    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    kind = xgboost.XGBClassifier if objective.startswith(("binary:logi", "multi:")) else xgboost.XGBRegressor
    estimator = kind()
    # Its estimators load nothing but files and bytes, and learn the number of classes from them.
    estimator.load_model(booster.save_raw("ubj"))
    return estimator


def runs_code(file: str, form: str) -> bool:
    """Return whether loading a file runs what its author wrote."""
    data = {"xgboost": (".json", ".ubj"), "lightgbm": (".txt",)}.get(form, ())
    return not file.endswith(data) if data else True


def _load(file: str, form: str) -> Any:
    name = os.path.basename(file)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            loaded = _loaded(file, form)
        except ModuleNotFoundError as error:
            raise NativeModelError(
                f"{name} needs the module {error.name}, which this image does not have; build a serving image with the "
                "model's requirements.txt (MODEL_REQUIREMENTS), or with that module where it is one of your own, and "
                "name it in serving.image"
            ) from error
        except Exception as error:  # whatever a pickle raises
            raise NativeModelError(
                f"{name} cannot be loaded by {LIBRARIES[form]} ({type(error).__name__}: {words_of(error)}); it is "
                "damaged, or was made by other versions of its packages: copy it again, or build the serving image "
                "with the model's own requirements.txt"
            ) from error
    for warning in caught:
        if warning.category.__name__ == "InconsistentVersionWarning":
            said: Any = warning.message
            raise NativeModelError(
                f"{name} was made by scikit-learn {said.original_sklearn_version} and this image has "
                f"{said.current_sklearn_version}, which may answer otherwise; build the serving image with the "
                "model's own requirements.txt, or train and import the model again"
            )
    return loaded


def _loaded(file: str, form: str) -> Any:
    if file.endswith(".skops"):
        import skops.io

        # Whoever set model.trusted trusts all of it.
        loaded = skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file))
    elif runs_code(file, form):
        import joblib

        loaded = joblib.load(file)
    elif form == "xgboost":
        import xgboost

        loaded = xgboost.Booster(model_file=file)
    else:
        import lightgbm

        loaded = lightgbm.Booster(model_file=file)
    if type(loaded).__name__ == "Booster":
        return of_xgboost(loaded) if type(loaded).__module__.startswith("xgboost") else Booster(loaded)
    return getattr(loaded, "best_estimator_", loaded)


def _check_versions(wanted: dict[str, str]) -> None:
    for package, needed in wanted.items():
        found = next(filter(None, map(_version, _NAMES.get(package, (package,)))), None)
        if found is None:
            raise NativeModelError(
                f"it needs {package} {needed}, which this image does not have; build a serving image with the model's "
                "requirements.txt (MODEL_REQUIREMENTS), and name it in serving.image"
            )
        if found != needed:
            raise NativeModelError(
                f"it was imported with {package} {needed} and this image has {found}, which may answer otherwise; "
                "build the serving image with the model's own requirements.txt, or import the model again"
            )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _array(answered: Any) -> Any:
    if hasattr(answered, "toarray"):
        answered = answered.toarray()
    return answered.to_numpy() if hasattr(answered, "to_numpy") else np.asarray(answered)


def _as(array: Any, datatype: str) -> Any:
    if datatype in _PLAIN:
        return array.astype(_PLAIN[datatype])
    return array.astype(object)
