"""``viridian import`` of what people bring: models and columns as they happen to be, imported or refused."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from viridian_import.faults import ImportFault

pytestmark = pytest.mark.importing


def _saved(folder: Path, trained: Any, table: Any, target: str) -> Any:
    """A model of columns without missing values; the sample has these columns and the target."""
    from tests.importing import makers

    return makers.saved(folder, trained, table, target)


def _customers() -> Any:
    """A table in which nothing is missing."""
    from tests.importing import makers

    return makers.customers(200).fillna({"income": 45_000.0, "city": "Graz"})


def _names_of_any_kind(folder: Path) -> Any:
    """Two names that are equal once only letters and digits are left of them, and one that begins with a digit."""
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    names = {"age": "Größe (€)", "income": "Größe ($)", "city": "Straße/Ort", "visits": "1. Besuch", "plan": "G____"}
    table = _customers().rename(columns=names)
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["Größe ($)", "1. Besuch", "Größe (€)"]),
            ("words", OneHotEncoder(handle_unknown="ignore"), ["Straße/Ort", "G____"]),
        ]
    )
    trained = make_pipeline(columns, LogisticRegression()).fit(table, table.churned)
    return _saved(folder, trained, table[[*names.values(), "churned"]], "churned")


def _booleans(folder: Path) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    table = _customers()
    rows = table[["age"]].assign(member=table.age % 2 == 0, vip=table.visits > 5)
    columns = ColumnTransformer([("age", StandardScaler(), ["age"])], remainder="passthrough")
    trained = make_pipeline(columns, LogisticRegression()).fit(rows, table.churned)
    return _saved(folder, trained, rows.assign(churned=table.churned), "churned")


def _several_labels(kind: str) -> Callable[[Path], Any]:
    def make(folder: Path) -> Any:
        import numpy as np
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
        from tests.importing.makers import NUMBERS

        table = _customers()
        labels = np.stack([table.churned == "yes", table.visits > 4], axis=1).astype(int)
        inner = LogisticRegression(max_iter=900)
        estimator = {
            "forest": RandomForestClassifier(10, random_state=0),
            "each": MultiOutputClassifier(inner),
            "one against the rest": OneVsRestClassifier(inner),
            "chain": ClassifierChain(inner),
        }[kind]
        trained = estimator.fit(table[NUMBERS], labels)
        return _saved(folder, trained, table[NUMBERS].assign(leaves=labels[:, 0]), "leaves")

    return make


def _target(values: Callable[[Any], Any]) -> Callable[[Path], Any]:
    """A classifier of labels of another type."""

    def make(folder: Path) -> Any:
        from sklearn.linear_model import LogisticRegression
        from tests.importing.makers import NUMBERS

        table = _customers()
        labels = values(table.churned == "yes")
        trained = LogisticRegression(max_iter=900).fit(table[NUMBERS], labels)
        return _saved(folder, trained, table[NUMBERS].assign(label=labels), "label")

    return make


def _texts(chosen: Any) -> Any:
    return chosen.map({True: "geht weg, ja", False: 'bleibt, "nein"'})


def _missing_labels(folder: Path) -> Any:
    import pandas as pd

    made = _target(_texts)(folder)
    table = pd.read_csv(made.sample)
    table.loc[::3, "label"] = None
    table.to_csv(made.sample, index=False)
    return made


def _frames_inside(folder: Path) -> Any:
    """A pipeline whose steps hand each other data frames."""
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table = _customers()[["age", "plan", "churned"]]
    words = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = ColumnTransformer([("numbers", StandardScaler(), ["age"]), ("words", words, ["plan"])])
    trained = make_pipeline(columns, LogisticRegression()).set_output(transform="pandas").fit(table, table.churned)
    return _saved(folder, trained, table, "churned")


def _searched(folder: Path) -> Any:
    """The search itself, over a pipeline."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from tests.importing import makers

    table = makers.customers(200)
    pipeline = make_pipeline(makers.prepared(), LogisticRegression(max_iter=300))
    trained = GridSearchCV(pipeline, {"logisticregression__C": [0.1, 1]}, cv=2).fit(table, table.churned)
    return _saved(folder, trained, table.drop(columns="spend"), "churned")


def _of_numbers(estimator: Callable[[], Any], change: Callable[[Any], Any] = lambda table: table) -> Any:
    """A regression, and a sample that is not quite the training's."""

    def make(folder: Path) -> Any:
        from tests.importing.makers import NUMBERS

        table = _customers()[[*NUMBERS, "spend"]]
        return _saved(folder, estimator().fit(table[NUMBERS], table.spend), change(table), "spend")

    return make


def _ridge() -> Any:
    from sklearn.linear_model import Ridge

    return Ridge()


def _united() -> Any:
    from sklearn.feature_selection import SelectKBest, f_regression
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    parts = make_union(StandardScaler(), make_pipeline(StandardScaler(), PolynomialFeatures(2)))
    return make_pipeline(parts, SelectKBest(f_regression, k=4), Ridge())


def _sparse(folder: Path) -> Any:
    from scipy.sparse import csr_matrix
    from tests.importing.makers import NUMBERS

    table = _customers()[[*NUMBERS, "spend"]]
    return _saved(folder, _ridge().fit(csr_matrix(table[NUMBERS].to_numpy()), table.spend), table, "spend")


def _numbered_columns(folder: Path) -> Any:
    import pandas as pd
    from tests.importing.makers import NUMBERS

    table = _customers()
    rows = pd.DataFrame(table[NUMBERS].to_numpy())
    return _saved(folder, _ridge().fit(rows, table.spend), rows.assign(spend=table.spend), "spend")


def _compressed(folder: Path) -> Any:
    import gzip

    from tests.importing.makers import Made

    made = _of_numbers(_ridge)(folder)
    file = folder / "model.pkl.gz"
    file.write_bytes(gzip.compress(made.model.read_bytes()))
    return Made(file, made.sample, made.target, made.trained)


@pytest.mark.parametrize(
    ("make", "served"),
    [
        pytest.param(_names_of_any_kind, True, id="names of columns"),
        pytest.param(_booleans, False, id="booleans"),
        pytest.param(_several_labels("forest"), True, id="labels, forest"),
        pytest.param(_several_labels("each"), False, id="labels, a model each"),
        pytest.param(_several_labels("one against the rest"), False, id="labels, one against the rest"),
        pytest.param(_target(_texts), False, id="target of texts"),
        pytest.param(_target(lambda chosen: chosen), False, id="target of booleans"),
        pytest.param(_target(lambda chosen: chosen * 2.0 - 1.0), False, id="target of floats"),
        pytest.param(_missing_labels, False, id="target with missing values"),
        pytest.param(_frames_inside, False, id="frames inside"),
        pytest.param(_searched, False, id="search"),
        pytest.param(_of_numbers(_united), False, id="union"),
        pytest.param(
            _of_numbers(_ridge, lambda table: table[table.columns[::-1]]), False, id="columns in another order"
        ),
        pytest.param(_of_numbers(_ridge, lambda table: table.reset_index(names="")), False, id="index"),
        pytest.param(_sparse, False, id="sparse"),
        pytest.param(_numbered_columns, False, id="numbered columns"),
        pytest.param(_compressed, False, id="compressed"),
    ],
)
def test_it_is_imported_and_answers_as_the_original(
    tmp_path: Path, run: Any, make: Callable[[Path], Any], served: bool
) -> None:
    ran = run(make(tmp_path / "given"), served=served)
    assert ran.code == 0, ran.err
    assert re.search(r"faithful  (\d+) rows alike in float\d\d: .*, labels that differ 0", ran.out), ran.out
    if served:
        assert re.search(r"(\d+) of \1 golden requests are answered as written down", ran.out), ran.out


def _categories(kind: str) -> Callable[[Path], Any]:
    """An estimator that knows pandas' categories."""

    def make(folder: Path) -> Any:
        import lightgbm
        import xgboost
        from sklearn.ensemble import HistGradientBoostingClassifier

        table = _customers()
        rows = table[["age", "city", "plan"]].astype({"city": "category", "plan": "category"})
        estimator = {
            "LightGBM": lightgbm.LGBMClassifier(n_estimators=3, verbose=-1),
            "XGBoost": xgboost.XGBClassifier(n_estimators=3, enable_categorical=True),
            "scikit-learn": HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype"),
        }[kind]
        labels = (table.churned == "yes").astype(int)
        return _saved(folder, estimator.fit(rows, labels), rows.assign(churned=labels), "churned")

    return make


def _own_step(folder: Path) -> Any:
    """A step of a module of one's own."""
    import sys

    code = folder / "code"
    code.mkdir(parents=True)
    (code / "own_cleaning.py").write_text(
        "from sklearn.base import BaseEstimator, TransformerMixin\n"
        "class Clip(TransformerMixin, BaseEstimator):\n"
        "    def fit(self, X, y=None):\n        self.n_features_in_ = X.shape[1]\n        return self\n"
        "    def transform(self, X):\n        return X.clip(0, 80)\n"
    )
    sys.path.insert(0, str(code))
    try:
        import own_cleaning
        from sklearn.pipeline import make_pipeline

        return _of_numbers(lambda: make_pipeline(own_cleaning.Clip(), _ridge()))(folder)
    finally:
        sys.path.remove(str(code))
        sys.modules.pop("own_cleaning", None)


def _transformed_target() -> Any:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import QuantileTransformer

    return TransformedTargetRegressor(_ridge(), transformer=QuantileTransformer(n_quantiles=20))


_CATEGORIES = r"pandas' type category \(city, plan\), .*; encode them in the model .*OneHotEncoder"
_NO_CONVERTER = "cannot be converted to ONNX .* or serve the model as it is, by its own library: --native"


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        pytest.param(_categories("LightGBM"), False, _CATEGORIES, id="categories of LightGBM"),
        pytest.param(_categories("XGBoost"), False, _CATEGORIES, id="categories of XGBoost"),
        pytest.param(_categories("scikit-learn"), False, _CATEGORIES, id="categories of scikit-learn"),
        pytest.param(_own_step, True, rf"step 'clip' \(Clip\) {_NO_CONVERTER}", id="a step of one's own"),
        pytest.param(_own_step, False, "needs the module 'own_cleaning', .*--code FOLDER", id="its module is missing"),
        pytest.param(_several_labels("chain"), False, _NO_CONVERTER, id="chain"),
        pytest.param(_of_numbers(_transformed_target), False, _NO_CONVERTER, id="transformed target"),
    ],
)
def test_it_is_refused_with_a_way_out(
    tmp_path: Path, run: Any, make: Callable[[Path], Any], code: bool, words: str
) -> None:
    made = make(tmp_path / "given")
    ran = run(made, *(["--code", str(made.model.parent / "code")] if code else []))
    assert ran.code == 1
    assert re.search(words, ran.err), ran.err
    assert not ran.folder.exists()


def test_what_is_pickled_and_no_model_is_said() -> None:
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    from viridian_import.readers.pickled import of_object

    one = "and no model with predict(); save the model itself"
    pipeline = "one pipeline of the steps that prepare the rows and the model: make_pipeline(step, model)"
    several = f"and no model with predict(); save {pipeline}"
    for loaded, words in (
        (len, f"holds a builtin_function_or_method, {one}"),
        (Ridge, "holds the class Ridge, and no model; fit one of it and save that"),
        (pd.DataFrame({"a": [1]}), f"holds a DataFrame, {one}"),
        (np.zeros(3), f"holds a ndarray, {one}"),
        ([], f"holds a list of nothing, {one}"),
        ((StandardScaler(), Ridge()), f"holds a tuple of StandardScaler, Ridge, {several}"),
        ({"model": Ridge(), "scaler": StandardScaler()}, f"holds a dictionary with 'model', 'scaler', {several}"),
        (Ridge(), "holds a Ridge that was not fitted; fit it and save it again"),
    ):
        with pytest.raises(ImportFault) as raised:
            of_object(loaded, "m.pkl")
        assert str(raised.value) == f"m.pkl {words}"
