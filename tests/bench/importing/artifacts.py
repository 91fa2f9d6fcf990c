"""The models: as many kinds as people bring."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import catboost
import joblib
import lightgbm
import mlflow
import onnx
import pandas as pd
import torch
import xgboost
from skl2onnx import to_onnx
from sklearn import (
    calibration,
    cluster,
    decomposition,
    ensemble,
    linear_model,
    multioutput,
    naive_bayes,
    neighbors,
    neural_network,
    svm,
    tree,
)
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from tests.importing import makers, networks
from tests.importing.makers import NUMBERS, Made
from tests.importing.texts import sample, transformer


@dataclass(frozen=True)
class Artifact:
    """A model to import."""

    name: str
    kind: str
    make: Callable[[Path], Made]
    native: bool = False
    """Whether it is served by its own library."""
    keras: bool = False
    """Whether a Python with tensorflow converts it."""


def artifacts() -> Iterator[Artifact]:
    """Yield all of them; each is made when its turn comes."""
    yield from _mixed()
    yield from _numbers()
    yield from _files()
    yield from _unconverted()
    yield from _networks()
    yield from _refused()


def _mixed() -> Iterator[Artifact]:
    """Pipelines on columns of mixed types, with missing values."""
    for name, estimator in (
        ("logistic regression", linear_model.LogisticRegression(max_iter=500)),
        ("random forest", ensemble.RandomForestClassifier(50, random_state=0)),
        ("gradient boosting", ensemble.GradientBoostingClassifier(n_estimators=20)),
        ("calibrated", calibration.CalibratedClassifierCV(linear_model.LogisticRegression(max_iter=500))),
        ("naive Bayes", naive_bayes.BernoulliNB()),
    ):
        yield Artifact(f"mixed, {name}", "mixed columns", lambda folder, e=estimator: makers.churn(folder, e))
    yield Artifact("mixed, XGBoost", "mixed columns", lambda folder: _regression(folder, xgboost.XGBRegressor()))
    yield Artifact(
        "mixed, LightGBM",
        "mixed columns",
        lambda folder: makers.churn(folder, lightgbm.LGBMClassifier(n_estimators=20, verbose=-1)),
    )
    yield Artifact("mixed, no imputer", "mixed columns", lambda folder: makers.churn(folder, impute=False))
    yield Artifact("mixed, regression", "mixed columns", lambda folder: _regression(folder, linear_model.Ridge()))
    yield Artifact("mixed, two targets", "multi-output", _two_targets)
    yield Artifact("ordinal encoding", "mixed columns", _ordinal)
    for vectorizer in (TfidfVectorizer(), CountVectorizer()):
        yield Artifact(f"text, {type(vectorizer).__name__}", "text", lambda folder, v=vectorizer: _text(folder, v))


def _numbers() -> Iterator[Artifact]:
    """Models of numbers alone."""
    scaled = make_pipeline
    voting = [("a", linear_model.LogisticRegression(max_iter=900)), ("b", tree.DecisionTreeClassifier(max_depth=4))]
    for kind, estimator in (
        ("forest", ensemble.RandomForestClassifier(50, random_state=0)),
        ("forest", ensemble.ExtraTreesRegressor(50, random_state=0)),
        ("boosting", ensemble.HistGradientBoostingClassifier(max_iter=30)),
        ("boosting", ensemble.HistGradientBoostingRegressor(max_iter=30)),
        ("boosting", xgboost.XGBClassifier(n_estimators=30)),
        ("boosting", xgboost.XGBRegressor(n_estimators=30)),
        ("boosting", lightgbm.LGBMClassifier(n_estimators=30, verbose=-1)),
        ("boosting", lightgbm.LGBMRegressor(n_estimators=30, verbose=-1)),
        ("ensemble", ensemble.VotingClassifier(voting, voting="soft")),
        ("ensemble", ensemble.StackingClassifier(voting)),
        ("calibrated", calibration.CalibratedClassifierCV(scaled(StandardScaler(), svm.LinearSVC()))),
        ("kernel", scaled(StandardScaler(), svm.SVR())),
        ("kernel", scaled(StandardScaler(), svm.SVC())),
        ("network", scaled(StandardScaler(), neural_network.MLPClassifier((256, 256), max_iter=20, random_state=0))),
        ("linear", linear_model.RidgeClassifier()),
        ("search", GridSearchCV(tree.DecisionTreeClassifier(), {"max_depth": [2, 4]}, cv=2)),
        ("anomaly", ensemble.IsolationForest(n_estimators=20, random_state=0)),
        ("anomaly", scaled(StandardScaler(), svm.OneClassSVM())),
        ("clusters", cluster.KMeans(3, n_init=1, random_state=0)),
        ("transformer", decomposition.PCA(2)),
    ):
        yield Artifact(_named(estimator), kind, lambda folder, e=estimator: makers.numeric(folder, e))


def _named(estimator: Any) -> str:
    steps = [each for _, each in getattr(estimator, "steps", [("", estimator)])]
    return " → ".join(type(each).__name__ for each in steps)


def _files() -> Iterator[Artifact]:
    """The libraries' own files, and MLflow's folders."""
    yield Artifact("pipeline.skops", "skops", lambda folder: makers.churn(folder, suffix=".skops"))
    for suffix in (".json", ".ubj"):
        yield Artifact(
            f"booster{suffix}",
            "XGBoost file",
            lambda folder, end=suffix: _native(folder, xgboost.XGBClassifier(n_estimators=30), f"model{end}"),
        )
    yield Artifact(
        "booster.txt",
        "LightGBM file",
        lambda folder: _native(folder, lightgbm.LGBMClassifier(n_estimators=30, verbose=-1), "model.txt"),
    )
    for kind in (catboost.CatBoostClassifier, catboost.CatBoostRegressor):
        yield Artifact(
            f"{kind.__name__}.cbm", "CatBoost file", lambda folder, k=kind: _native(folder, _catboost(k), "model.cbm")
        )
    yield Artifact("model.onnx", "ONNX", _onnx)
    yield Artifact("MLflow, onnx", "MLflow folder", _mlflow_onnx)
    for flavor, estimator in (
        ("sklearn", linear_model.LogisticRegression(max_iter=900)),
        ("xgboost", xgboost.XGBRegressor(n_estimators=30)),
        ("lightgbm", lightgbm.LGBMRegressor(n_estimators=30, verbose=-1)),
        ("catboost", _catboost(catboost.CatBoostRegressor)),
    ):
        yield Artifact(
            f"MLflow, {flavor}", "MLflow folder", lambda folder, f=flavor, e=estimator: _mlflow(folder, f, e)
        )


def _unconverted() -> Iterator[Artifact]:
    """What stays as it is."""
    for estimator in (
        make_pipeline(StandardScaler(), neighbors.KNeighborsClassifier()),
        make_pipeline(StandardScaler(), neighbors.LocalOutlierFactor(novelty=True)),
        calibration.CalibratedClassifierCV(linear_model.LogisticRegression(max_iter=900), method="isotonic"),
    ):
        yield Artifact(
            f"native, {_named(estimator)}",
            "native",
            lambda folder, e=estimator: makers.numeric(folder, e),
            native=True,
        )


def _networks() -> Iterator[Artifact]:
    """Models of PyTorch and Keras, and transformers."""
    for name in ("program.pt2", "script.pt"):
        yield Artifact(name, "PyTorch", lambda folder, n=name: _torch(folder, n))
    for kind, name in (("classes", "model.keras"), ("h5", "model.h5"), ("saved", "SavedModel")):
        yield Artifact(name, "Keras", lambda folder, k=kind: _keras(folder, k), keras=True)
    for flavor, kind in (("keras", "classes"), ("tensorflow", "h5")):
        yield Artifact(
            f"MLflow, {flavor}",
            "MLflow folder",
            lambda folder, f=flavor, k=kind: _mlflow_keras(folder, f, k),
            keras=True,
        )
    for kind in ("BertForSequenceClassification", "BertForTokenClassification", "BertForMaskedLM", "BertModel"):
        yield Artifact(kind, "transformer", lambda folder, k=kind: _transformer(folder, k))


def _torch(folder: Path, name: str) -> Made:
    file, sample = folder / name, makers.numeric(folder, linear_model.Ridge()).sample
    table = pd.read_csv(sample)[NUMBERS]
    table.to_csv(sample, index=False)
    module, rows = networks.module(), torch.tensor(table.head(2).to_numpy("float32"))
    if name.endswith(".pt2"):
        several = ({0: torch.export.Dim("rows")},)
        torch.export.save(torch.export.export(module, (rows,), dynamic_shapes=several), file)
    else:
        torch.jit.trace(module, rows).save(str(file))
    return Made(file, sample, None, module)


def _keras(folder: Path, kind: str) -> Made:
    folder.mkdir(parents=True)
    file, _ = networks.trained(folder, kind)
    return Made(file, networks.rows(folder / "train.csv"), None, None)


def _mlflow_keras(folder: Path, flavor: str, kind: str) -> Made:
    """The layout that MLflow writes, which needs tensorflow beside itself to write it."""
    data = folder / "run" / "data"
    data.mkdir(parents=True)
    networks.trained(data, kind)
    (data / "keras_module.txt").write_text("keras")
    (folder / "run" / "MLmodel").write_text(f"flavors:\n  {flavor}: {{data: data, model_type: keras}}\n")
    return Made(folder / "run", networks.rows(folder / "train.csv"), None, None)


def _transformer(folder: Path, kind: str) -> Made:
    words = "[MASK] {}" if kind == "BertForMaskedLM" else "{}"
    texts = ("the food was very good", "Anna lives in Graz", "a", "the service was awful", "good " * 20)
    model = transformer(folder / "model", kind)
    return Made(model, sample(folder / "texts.csv", [words.format(text) for text in texts]), None, None)


def _refused() -> Iterator[Artifact]:
    """What is refused with a way out."""
    for estimator in (neighbors.KNeighborsClassifier(), neighbors.LocalOutlierFactor(novelty=True)):
        scaled = make_pipeline(StandardScaler(), estimator)
        yield Artifact(f"equally far, {_named(scaled)}", "refused", lambda folder, e=scaled: makers.numeric(folder, e))
    function = make_pipeline(FunctionTransformer(abs), linear_model.Ridge())
    yield Artifact("a user's function", "refused", lambda folder: makers.numeric(folder, function))
    yield Artifact("dictionary", "refused", _dictionary)


def _regression(folder: Path, estimator: Any) -> Made:
    table = makers.customers()
    trained = make_pipeline(makers.prepared(), estimator).fit(table, table.spend)
    return makers.saved(folder, trained, table.drop(columns="churned"), "spend")


def _two_targets(folder: Path) -> Made:
    table = makers.customers()
    targets = table[["spend", "visits"]]
    trained = make_pipeline(makers.prepared(), multioutput.MultiOutputRegressor(linear_model.Ridge()))
    return makers.saved(folder, trained.fit(table, targets), table.drop(columns="churned"), "spend")


def _ordinal(folder: Path) -> Made:
    table = makers.customers().fillna({"city": "Graz", "income": 45_000})
    columns = ColumnTransformer(
        [
            ("words", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["city", "plan"]),
            ("numbers", "passthrough", NUMBERS),
        ]
    )
    trained = make_pipeline(columns, ensemble.HistGradientBoostingClassifier(max_iter=20)).fit(table, table.churned)
    return makers.saved(folder, trained, table.drop(columns=["spend", "note"]), "churned")


def _text(folder: Path, vectorizer: Any) -> Made:
    table = makers.customers()
    trained = make_pipeline(vectorizer, linear_model.LogisticRegression()).fit(table.note, table.churned)
    return makers.saved(folder, trained, table[["note", "churned"]], "churned")


def _native(folder: Path, estimator: Any, name: str) -> Made:
    made = makers.numeric(folder, estimator)
    getattr(estimator, "booster_", estimator).save_model(folder / name)
    return Made(folder / name, made.sample, made.target, estimator)


def _onnx(folder: Path) -> Made:
    made = makers.numeric(folder, linear_model.LogisticRegression(max_iter=900), named=False)
    rows = pd.read_csv(made.sample)[NUMBERS].astype("float32").to_numpy()
    (folder / "model.onnx").write_bytes(to_onnx(made.trained, rows[:1], options={"zipmap": False}).SerializeToString())
    return Made(folder / "model.onnx", made.sample, made.target, made.trained)


def _mlflow(folder: Path, flavor: str, estimator: Any) -> Made:
    made = makers.numeric(folder, estimator)
    getattr(mlflow, flavor).save_model(made.trained, folder / "run", pip_requirements=[])
    return Made(folder / "run", made.sample, made.target, made.trained)


def _mlflow_onnx(folder: Path) -> Made:
    made = _onnx(folder)
    mlflow.onnx.save_model(onnx.load(made.model), folder / "run", pip_requirements=[])
    return Made(folder / "run", made.sample, made.target, made.trained)


def _catboost(kind: Any) -> Any:
    return kind(iterations=30, verbose=0, allow_writing_files=False)


def _dictionary(folder: Path) -> Made:
    made = makers.numeric(folder, linear_model.Ridge())
    joblib.dump({"model": made.trained, "encoder": OneHotEncoder()}, made.model)
    return made
