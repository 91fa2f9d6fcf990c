"""Models that scikit-learn has learnt, as skl2onnx exports them."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn import cluster, ensemble, linear_model, naive_bayes, neighbors, neural_network, svm, tree
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import SimpleImputer
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

_TEXTS = ["good film", "bad film", "great movie", "awful movie"]
_OPSET = 18


def models() -> Iterator[tuple[str, onnx.ModelProto]]:
    """Learn and export them."""
    warnings.simplefilter("ignore")  # of estimators that would learn more, given more time
    x, y = load_iris(return_X_y=True)
    x = x.astype(np.float32)
    for estimator in _estimators():
        yield f"sklearn-{type(estimator).__name__}", _exported(estimator.fit(x, y))
    yield "sklearn-zipmap", _exported(linear_model.LogisticRegression(max_iter=500).fit(x, y), zipmap=True)
    yield "sklearn-pipeline", _exported(make_pipeline(SimpleImputer(), StandardScaler(), svm.SVC()).fit(x, y))
    yield "sklearn-two-targets", _exported(MultiOutputRegressor(linear_model.Ridge()).fit(x, x[:, :2]))
    for vectorizer in (TfidfVectorizer, CountVectorizer):
        for locale in ("en_US", "C"):
            yield f"sklearn-{vectorizer.__name__}-{locale}", _text(vectorizer, locale)
    yield "sklearn-words", _words()


def _estimators() -> Iterator[Any]:
    yield linear_model.LogisticRegression(max_iter=500)
    yield linear_model.LinearRegression()
    yield linear_model.SGDClassifier(random_state=0)
    yield linear_model.Perceptron()
    yield linear_model.BayesianRidge()
    yield ensemble.RandomForestClassifier(n_estimators=10, random_state=0)
    yield ensemble.ExtraTreesRegressor(n_estimators=10, random_state=0)
    yield ensemble.GradientBoostingClassifier(n_estimators=5, random_state=0)
    yield ensemble.HistGradientBoostingRegressor(max_iter=5, random_state=0)
    yield ensemble.AdaBoostClassifier(n_estimators=5, random_state=0)
    yield ensemble.IsolationForest(n_estimators=5, random_state=0)
    yield tree.DecisionTreeClassifier(random_state=0)
    yield svm.SVC(probability=True, random_state=0)
    yield svm.SVR()
    yield svm.OneClassSVM()
    yield neighbors.KNeighborsClassifier()
    yield neighbors.LocalOutlierFactor(novelty=True)
    yield naive_bayes.GaussianNB()
    yield neural_network.MLPClassifier((8,), max_iter=50, random_state=0)
    yield cluster.KMeans(3, n_init=1, random_state=0)
    yield PCA(2)
    yield GaussianProcessRegressor()


def _exported(estimator: Any, *, zipmap: bool = False) -> onnx.ModelProto:
    last = estimator[-1] if hasattr(estimator, "steps") else estimator
    options = {id(last): {"zipmap": zipmap}} if hasattr(last, "classes_") else None
    return convert_sklearn(
        estimator, initial_types=[("X", FloatTensorType([None, 4]))], options=options, target_opset=_target()
    )


def _target() -> dict[str, int]:
    return {"": _OPSET, "ai.onnx.ml": 3}


def _text(vectorizer: Any, locale: str) -> onnx.ModelProto:
    pipeline = make_pipeline(vectorizer(), linear_model.LogisticRegression()).fit(_TEXTS, [1, 0, 1, 0])
    chosen = {} if locale == "en_US" else {vectorizer: {"locale": locale}}
    return convert_sklearn(
        pipeline,
        initial_types=[("text", StringTensorType([None, 1]))],
        options={linear_model.LogisticRegression: {"zipmap": False}, **chosen},
        target_opset=_target(),
    )


def _words() -> onnx.ModelProto:
    rows = np.array([["Graz", "a"], ["Basel", "b"], ["Graz", "c"], ["Köln", "a"]], dtype=object)
    pipeline = make_pipeline(OneHotEncoder(handle_unknown="ignore"), linear_model.LogisticRegression())
    return convert_sklearn(
        pipeline.fit(rows, [0, 1, 0, 1]),
        initial_types=[("words", StringTensorType([None, 2]))],
        options={linear_model.LogisticRegression: {"zipmap": False}},
        target_opset=_target(),
    )
