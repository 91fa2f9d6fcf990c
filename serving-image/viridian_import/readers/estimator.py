"""Whatever has scikit-learn's interface: its own estimators and pipelines, and those of XGBoost and LightGBM."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from viridian_import.convert.steps import made_of, steps
from viridian_import.faults import ImportFault
from viridian_import.messages import Description, Layout, Output, Plan, Role
from viridian_import.readers.categories import categories
from viridian_import.readers.causes import causes
from viridian_import.readers.texts import chosen, columns_of_texts
from viridian_import.readers.versions import versions_of
from viridian_serving.codec.tensors import Kind

if TYPE_CHECKING:
    import pandas as pd

_INVENTED: Final = re.compile(r"Column_\d+|f\d+")
"""Names of columns that LightGBM and XGBoost make up where none were given."""
_CLASSIFIER: Final = (
    Output("label", Role.LABEL, "predict"),
    Output("probabilities", Role.PROBABILITIES, "predict_proba"),
)


@dataclass(frozen=True)
class Estimator:
    """An estimator that was fitted."""

    estimator: Any
    description: Description

    @classmethod
    def of(cls, loaded: Any, path: str, notices: Sequence[str] = ()) -> Self:  # noqa: ANN401
        """Describe an estimator.

        Args:
            loaded: What the file held. A search is taken for the best that it found.
            path: The file.
            notices: For the user.

        Raises:
            ImportFault: It was not fitted.
        """
        from sklearn.exceptions import NotFittedError
        from sklearn.utils.validation import check_is_fitted

        estimator = getattr(loaded, "best_estimator_", loaded)
        try:
            check_is_fitted(estimator)
        except (NotFittedError, TypeError):
            raise ImportFault(
                f"{path} holds a {type(loaded).__name__} that was not fitted; fit it and save it again"
            ) from None
        if of_categories := categories(estimator):
            raise ImportFault(
                f"{path} was trained with columns of pandas' type category ({', '.join(of_categories)}), which neither "
                "ONNX nor a request has; encode them in the model (a pipeline with OneHotEncoder or OrdinalEncoder), "
                "and train it again"
            )
        task = _task(estimator)
        classes = _classes(estimator, task)
        return cls(
            estimator,
            Description(
                model=_named(estimator),
                task=task,
                outputs=list(_outputs(estimator, task)),
                versions=versions_of(
                    {type(each).__module__.partition(".")[0] for _, each in steps(estimator)} | {"sklearn"}
                ),
                layouts=_layouts(estimator),
                network="",
                classes=classes,
                features=_used(estimator),
                width=_width(estimator),
                given=_given(estimator),
                texts=list(dict.fromkeys(columns_of_texts(estimator, _names(estimator) or ()))),
                notices=list(notices),
            ),
        )

    def answer(self, frame: "pd.DataFrame") -> dict[str, list[Any]]:
        """Answer rows; see Original."""
        given = self._given(frame)
        return {
            output.name: _rows(getattr(self.estimator, output.method)(given), output.role)
            for output in self.description.outputs
        }

    def convert(self, plan: Plan, kinds: Mapping[str, Kind], row: "pd.DataFrame", file: str) -> None:
        """Write it as ONNX; see Original."""
        from viridian_import.convert.estimator import convert

        convert(self.estimator, self.description, plan, kinds, self._given(row), file)

    def explain(self, frame: "pd.DataFrame") -> list[str]:
        """Say why rows may be answered otherwise; see Original."""
        return list(causes(self.estimator, self._given(frame)))

    def _given(self, frame: "pd.DataFrame") -> Any:  # noqa: ANN401
        """Give rows to the model as they were given when it was trained."""
        if self.description.given == "text":
            return frame.iloc[:, 0]
        return frame if self.description.given == "frame" else frame.to_numpy()


def _given(estimator: Any) -> str:  # noqa: ANN401
    if _reads_text(estimator):
        return "text"
    return "frame" if _used(estimator) is not None else "array"


def _task(estimator: Any) -> str:  # noqa: ANN401
    from sklearn import base

    for task, of_it in (
        ("classifier", base.is_classifier),
        ("regressor", base.is_regressor),
        ("outlier detector", base.is_outlier_detector),
        ("clusterer", base.is_clusterer),
    ):
        if of_it(estimator):
            return task
    return "regressor" if hasattr(estimator, "predict") else "transformer"


def _outputs(estimator: Any, task: str) -> Sequence[Output]:  # noqa: ANN401
    if task == "classifier":
        several = isinstance(getattr(estimator, "classes_", None), list)
        return _CLASSIFIER if hasattr(estimator, "predict_proba") and not several else _CLASSIFIER[:1]
    if task == "outlier detector":
        return (_CLASSIFIER[0], Output("scores", Role.NUMBERS, "decision_function"))
    if task == "clusterer":
        return _CLASSIFIER[:1]
    if task == "transformer":
        return (Output("values", Role.NUMBERS, "transform"),)
    return (Output("prediction", Role.NUMBERS, "predict"),)


def _classes(estimator: Any, task: str) -> list[Any] | None:  # noqa: ANN401
    classes = getattr(estimator, "classes_", None) if task == "classifier" else None
    if classes is None or isinstance(classes, list):
        return None
    return [_plain(value) for value in np.asarray(classes).tolist()] if np.asarray(classes).ndim == 1 else None


def _plain(label: object) -> object:
    """A class as ONNX has it: true and false, and whole numbers as floats, are whole numbers."""
    whole = isinstance(label, bool) or (isinstance(label, float) and label.is_integer())
    return int(label) if whole and isinstance(label, bool | float) else label


def _rows(answered: Any, role: Role) -> list[Any]:  # noqa: ANN401
    array = np.asarray(answered.toarray() if hasattr(answered, "toarray") else answered)
    if role is Role.LABEL and array.dtype.kind in "bf":
        array = array.astype(np.int64)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    rows: list[Any] = array.tolist()
    return rows


def _firsts(estimator: Any) -> Iterator[Any]:  # noqa: ANN401
    """Yield what is given the columns: the first step, also of pipelines that others are made of."""
    if hasattr(estimator, "steps"):
        yield from _firsts(estimator.steps[0][1])
    elif hasattr(estimator, "transformers_") or not (parts := made_of(estimator)):
        yield estimator
    else:
        for name, each in parts:
            if name != "final_estimator":  # which is given what the others say
                yield from _firsts(each)


def _reads_text(estimator: Any) -> bool:  # noqa: ANN401
    return all(hasattr(each, "build_analyzer") for each in _firsts(estimator))


def _layouts(estimator: Any) -> list[Layout]:  # noqa: ANN401
    if any(hasattr(each, "transformers_") for each in _firsts(estimator)) or _reads_text(estimator):
        return [Layout.COLUMNS]
    return [Layout.MATRIX, Layout.COLUMNS]


def _names(estimator: Any) -> list[str] | None:  # noqa: ANN401
    names = getattr(estimator, "feature_names_in_", None)
    if names is None or all(_INVENTED.fullmatch(str(name)) for name in names):
        return None
    return [str(name) for name in names]


def _used(estimator: Any) -> list[str] | None:  # noqa: ANN401
    """Names of the columns, save those that the first step drops."""
    names, firsts = _names(estimator), list(_firsts(estimator))
    if names is None or not all(hasattr(each, "transformers_") for each in firsts):
        return names
    used: set[str] = set()
    for _, inner, columns in (each for first in firsts for each in first.transformers_):
        if not (isinstance(inner, str) and inner == "drop"):
            used.update(chosen(columns, names))
    return [name for name in names if name in used]


def _width(estimator: Any) -> int | None:  # noqa: ANN401
    if _reads_text(estimator):
        return 1
    width = getattr(estimator, "n_features_in_", None)
    return None if width is None else int(width)


def _named(estimator: Any) -> str:  # noqa: ANN401
    """A pipeline as what it is made of."""
    if hasattr(estimator, "steps"):
        return " → ".join(_named(inner) for _, inner in estimator.steps)
    return estimator if isinstance(estimator, str) else type(estimator).__name__
