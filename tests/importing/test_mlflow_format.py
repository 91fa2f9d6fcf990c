"""Format mlflow: folders that MLflow itself has written, served without an import, before the real Triton."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.serving.pod import Pod
from tests.waiting import DEADLINE

pytestmark = pytest.mark.importing


def _table() -> Any:
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(7)
    table = pd.DataFrame({"age": random.normal(40, 9, 200), "income": random.normal(0, 1, 200)})
    return table, (table.age + 9 * table.income > 40).astype(int)


def _sklearn(form: str) -> Callable[[Path], Any]:
    def save(folder: Path) -> Any:
        import mlflow.sklearn
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        table, target = _table()
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(table, target)
        signature = mlflow.models.infer_signature(table, model.predict(table))
        mlflow.sklearn.save_model(model, folder, signature=signature, serialization_format=form)
        return model.predict(table)

    return save


def _array(folder: Path) -> Any:
    import mlflow.sklearn
    from sklearn.ensemble import RandomForestClassifier

    table, target = _table()
    model = RandomForestClassifier(n_estimators=5, random_state=1).fit(table.to_numpy(), target)
    chances = model.predict_proba(table.to_numpy())
    signature = mlflow.models.infer_signature(table.to_numpy(), chances)
    mlflow.sklearn.save_model(
        model, folder, signature=signature, serialization_format="cloudpickle", pyfunc_predict_fn="predict_proba"
    )
    return chances


def _xgboost(folder: Path) -> Any:
    import mlflow.xgboost
    from xgboost import XGBClassifier

    table, target = _table()
    model = XGBClassifier(n_estimators=5).fit(table, target)
    answers = model.predict(table)
    signature = mlflow.models.infer_signature(table, answers)
    mlflow.xgboost.save_model(model, folder, signature=signature, model_format="json")
    return answers


def _lightgbm(folder: Path) -> Any:
    import lightgbm
    import mlflow.lightgbm

    table, target = _table()
    model = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(table, target), 5)
    answers = model.predict(table)
    mlflow.lightgbm.save_model(model, folder, signature=mlflow.models.infer_signature(table, answers))
    return answers


@pytest.mark.parametrize(
    ("save", "trusted"),
    [
        (_sklearn("cloudpickle"), True),
        (_sklearn("skops"), True),
        (_array, True),
        (_xgboost, False),
        (_lightgbm, False),
    ],
    ids=["pickle", "skops", "array", "XGBoost", "LightGBM"],
)
def test_it_answers_as_in_the_notebook(tmp_path: Path, save: Callable[[Path], Any], trusted: bool) -> None:
    # given
    answers = save(tmp_path / "churn")
    table, _ = _table()
    pod = Pod.create(tmp_path, MODEL_URI="image:///churn", MODEL_FORMAT="mlflow")
    if trusted:
        pod.settings["MODEL_TRUSTED"] = "true"
    try:
        pod.start_triton()
        pod.start_api()
        pod.wait_ready()
        # when
        names = list(table) if save is not _array else ["x0", "x1"]
        rows = [dict(zip(names, row, strict=True)) for row in table.head(20).to_numpy().tolist()]
        answer = pod.predict(rows)
        # then
        assert answer.status == 200, answer.body
        predicted = [each["prediction"] for each in answer.json["predictions"]]
        assert predicted == [pytest.approx(each) for each in answers[:20].tolist()]
    finally:
        pod.stop()


def test_a_pickle_needs_trust(tmp_path: Path) -> None:
    _sklearn("cloudpickle")(tmp_path / "churn")
    pod = Pod.create(tmp_path, MODEL_URI="image:///churn", MODEL_FORMAT="mlflow")
    pod.start_triton().wait(DEADLINE)
    assert "is loaded by running the code in it; set model.trusted to true" in pod.termination_log
