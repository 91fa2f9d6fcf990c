"""``viridian import`` of what skl2onnx alone leaves out, answers otherwise, or never ends with."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.importing


def _numbers(estimator: Callable[[], Any], target: Callable[[Any], Any], *, missing: bool = False) -> Any:
    """A model of three columns of numbers."""

    def make(folder: Path) -> Any:
        from tests.importing import makers

        table = makers.customers(300)
        rows = table[makers.NUMBERS] if missing else table[makers.NUMBERS].fillna(45_000.0)
        labels = target(table)
        return makers.saved(folder, estimator().fit(rows, labels), rows.assign(target=labels), "target")

    return make


def _columns(estimator: Callable[[Any], Any], target: str = "churned") -> Any:
    """A model around, or behind, a ColumnTransformer of numbers and words."""

    def make(folder: Path) -> Any:
        from sklearn.compose import make_column_transformer
        from sklearn.preprocessing import OneHotEncoder, StandardScaler
        from tests.importing import makers

        table = makers.customers(300).fillna({"income": 45_000.0, "city": "Graz"})
        words = (OneHotEncoder(handle_unknown="ignore"), makers.WORDS)
        trained = estimator(make_column_transformer((StandardScaler(), makers.NUMBERS), words))
        trained.fit(table, table[target])
        return makers.saved(folder, trained, table[[*makers.NUMBERS, *makers.WORDS, target]], target)

    return make


def _churned(table: Any) -> Any:
    return table.churned


def _spend(table: Any) -> Any:
    return table.spend


def _ages(table: Any) -> Any:
    import numpy as np

    return np.select([table.age < 40, table.age < 65], ["young", "middle"], "old")


def _pipeline(*names: str, **options: dict[str, Any]) -> Callable[[], Any]:
    """Steps by their names in scikit-learn, with their options."""

    def make() -> Any:
        from sklearn.pipeline import make_pipeline
        from sklearn.utils import all_estimators

        kinds = dict(all_estimators())
        return make_pipeline(*(kinds[name](**options.get(name, {})) for name in names))

    return make


def _function(name: str) -> Callable[[], Any]:
    def make() -> Any:
        import numpy as np

        return _pipeline("FunctionTransformer", "Ridge", FunctionTransformer={"func": getattr(np, name)})()

    return make


def _indicated() -> Any:
    from sklearn.impute import MissingIndicator, SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.preprocessing import StandardScaler

    parts = make_union(make_pipeline(SimpleImputer(), StandardScaler()), MissingIndicator())
    return make_pipeline(parts, LogisticRegression())


def _tuned(columns: Any) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import TunedThresholdClassifierCV
    from sklearn.pipeline import make_pipeline

    return TunedThresholdClassifierCV(make_pipeline(columns, LogisticRegression()), cv=2)


def _fixed(positive: str) -> Callable[[], Any]:
    def make() -> Any:
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import FixedThresholdClassifier

        return FixedThresholdClassifier(LogisticRegression(max_iter=900), threshold=0.3, pos_label=positive)

    return make


def _logarithmic(columns: Any) -> Any:
    import numpy as np
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.pipeline import make_pipeline

    forest = make_pipeline(columns, RandomForestRegressor(5, random_state=0))
    return TransformedTargetRegressor(forest, func=np.log1p, inverse_func=np.expm1)


def _scaled_target() -> Any:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), TransformedTargetRegressor(Ridge(), transformer=StandardScaler()))


def _voting(columns: Any) -> Any:
    from sklearn.ensemble import RandomForestClassifier, VotingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    linear = make_pipeline(columns, LogisticRegression())
    forest = make_pipeline(columns, RandomForestClassifier(5, random_state=0))
    return VotingClassifier([("linear", linear), ("forest", forest)], voting="soft")


_FOREST: Any = {"random_state": 0, "n_estimators": 10}


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(
            _numbers(_pipeline("RandomForestClassifier", RandomForestClassifier=_FOREST), _churned, missing=True),
            id="forest that learnt of missing values",
        ),
        pytest.param(
            _numbers(_pipeline("ExtraTreesRegressor", ExtraTreesRegressor=_FOREST), _spend, missing=True),
            id="trees that learnt of missing values",
        ),
        pytest.param(
            _numbers(_pipeline("RandomForestClassifier", RandomForestClassifier=_FOREST | {"n_estimators": 4}), _ages),
            id="forest that is divided",
        ),
        pytest.param(_numbers(_pipeline("QuadraticDiscriminantAnalysis"), _ages), id="quadratic discriminant"),
        pytest.param(
            _numbers(
                _pipeline(
                    *("SimpleImputer", "StandardScaler", "LogisticRegression"), SimpleImputer={"add_indicator": True}
                ),
                _churned,
                missing=True,
            ),
            id="imputer with indicators",
        ),
        pytest.param(_numbers(_indicated, _churned, missing=True), id="indicators beside an imputer"),
        pytest.param(
            _numbers(_pipeline("KBinsDiscretizer", "Ridge", KBinsDiscretizer={"n_bins": 4}), _spend), id="bins"
        ),
        *(
            pytest.param(_numbers(_function(name), _spend), id=f"numpy.{name}")
            for name in ("log1p", "tanh", "sqrt", "square")
        ),
        pytest.param(_columns(_tuned), id="tuned threshold"),
        pytest.param(_numbers(_fixed("no"), _churned), id="fixed threshold, first class"),
        pytest.param(_numbers(_fixed("yes"), _churned), id="fixed threshold, second class"),
        pytest.param(_columns(_logarithmic, "spend"), id="logarithmic target"),
        pytest.param(_numbers(_scaled_target, _spend), id="scaled target"),
        pytest.param(_columns(_voting), id="voting of pipelines"),
    ],
)
def test_it_is_imported_and_answers_as_the_original(tmp_path: Path, run: Any, make: Callable[[Path], Any]) -> None:
    ran = run(make(tmp_path / "given"))
    assert ran.code == 0, ran.err
    assert re.search(r"faithful  (\d+) rows alike in float\d\d: .*, labels that differ 0", ran.out), ran.out


def _calibrated(columns: Any) -> Any:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return CalibratedClassifierCV(make_pipeline(columns, LogisticRegression()), cv=2)


def _calibrated_texts(folder: Path) -> Any:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC
    from tests.importing import makers

    table = makers.customers()
    trained = CalibratedClassifierCV(make_pipeline(TfidfVectorizer(), LinearSVC()), cv=2).fit(table.note, table.churned)
    return makers.saved(folder, trained, table[["note", "churned"]], "churned")


def _one_against_one() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsOneClassifier

    return OneVsOneClassifier(LogisticRegression(max_iter=900))


_NEIGHBOURS = r"Why: step 'knnimputer' \(KNNImputer\) fills in \d+ of these \d+ rows .*"
_AROUND = (
    r"CalibratedClassifierCV is around a pipeline .*; put it behind that, as in make_pipeline\(columns, Cal.*--native"
)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(
            _numbers(_pipeline("KNNImputer", "StandardScaler", "LogisticRegression"), _churned, missing=True),
            rf"{_NEIGHBOURS}in ONNX its distances have 32 bits.* Put a StandardScaler before it",
            id="neighbours of numbers that are not scaled",
        ),
        pytest.param(
            _numbers(_pipeline("StandardScaler", "KNNImputer", "LogisticRegression"), _churned, missing=True),
            rf"{_NEIGHBOURS}in \d+ of them the training rows that are number 5 and 6 by their distance are equally far",
            id="neighbours that are equally far",
        ),
        pytest.param(_columns(_calibrated), _AROUND, id="calibrated pipeline of columns"),
        pytest.param(_calibrated_texts, _AROUND, id="calibrated pipeline of texts"),
        pytest.param(
            _numbers(_one_against_one, _ages),
            r"the converter wrote an ONNX file that ONNX Runtime cannot load \(.*\); .* give another type of labels",
            id="one against one",
        ),
        pytest.param(
            _numbers(_pipeline("FunctionTransformer", "Ridge", FunctionTransformer={"func": abs}), _spend),
            r"step 'functiontransformer' .* \(FunctionTransformer has a function that is not one of numpy's",
            id="function of Python",
        ),
    ],
)
def test_it_is_refused_with_the_cause_and_a_way_out(
    tmp_path: Path, run: Any, make: Callable[[Path], Any], words: str
) -> None:
    ran = run(make(tmp_path / "given"))
    assert ran.code == 1
    assert re.search(words, ran.err), ran.err
    assert not ran.folder.exists()
