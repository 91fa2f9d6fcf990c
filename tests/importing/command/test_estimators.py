"""Which estimators and files become versions that answer as the originals do."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.importing.command.running import golden

pytestmark = pytest.mark.importing


def test_trees_that_float32_turns_the_wrong_way_are_converted_to_float64(tmp_path: Path, run: Any) -> None:
    from sklearn.ensemble import RandomForestClassifier
    from tests.importing import makers

    made = makers.churn(tmp_path / "given", RandomForestClassifier(20, random_state=0))
    ran = run(made)
    assert ran.code == 0, ran.err
    assert "rows alike in float64" in ran.out


@pytest.mark.parametrize("threshold", [0.0, 1.0], ids=["dense", "sparse"])
def test_xgboost_behind_columns_is_given_what_it_was_trained_with(tmp_path: Path, run: Any, threshold: float) -> None:
    """A sparse matrix leaves zeros out, and XGBoost takes them for missing values."""
    import xgboost
    from sklearn.pipeline import make_pipeline
    from tests.importing import makers

    table = makers.customers()
    columns = makers.prepared().set_params(sparse_threshold=threshold)
    trained = make_pipeline(columns, xgboost.XGBRegressor(n_estimators=20)).fit(table, table.spend)
    ran = run(makers.saved(tmp_path / "given", trained, table.drop(columns="churned"), "spend"))
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("part", ["alone", "last step", "calibrated", "calibrated pipeline"])
def test_a_linear_svc_is_faithful_wherever_it_is(tmp_path: Path, run: Any, part: str) -> None:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC
    from tests.importing import makers

    alone = LinearSVC(random_state=0)
    pipeline = make_pipeline(StandardScaler(), alone)
    model = {
        "alone": alone,
        "last step": pipeline,
        "calibrated": CalibratedClassifierCV(alone),
        "calibrated pipeline": CalibratedClassifierCV(pipeline),
    }[part]
    ran = run(makers.numeric(tmp_path / "given", model))
    assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    ("path", "options", "why"),
    [
        ("sklearn.neighbors.KNeighborsClassifier", {"n_neighbors": 3}, r"on \d+ of these \d+ rows, .* equally far"),
        ("sklearn.neighbors.LocalOutlierFactor", {"novelty": True, "n_neighbors": 3}, r"on \d+ of .* equally far"),
    ],
)
def test_neighbours_that_are_equally_far_are_said_to_be(
    tmp_path: Path, run: Any, path: str, options: dict[str, Any], why: str
) -> None:
    # given rows on a grid, whose labels depend on nothing
    import importlib

    import numpy as np
    import pandas as pd
    from tests.importing import makers

    random = np.random.default_rng(1)
    table = pd.DataFrame(random.integers(0, 6, (200, 2)) * 0.1, columns=["a", "b"])
    labels = random.integers(0, 2, 200)
    module, _, name = path.rpartition(".")
    trained = getattr(importlib.import_module(module), name)(**options).fit(table, labels)
    # when
    ran = run(makers.saved(tmp_path / "given", trained, table, None))
    # then
    assert ran.code == 1
    assert re.search(rf"\nWhy: {why}", ran.err), ran.err


def test_an_isotonic_calibration_is_said_to_be_the_cause(tmp_path: Path, run: Any) -> None:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.linear_model import LogisticRegression
    from tests.importing import makers

    calibrated = CalibratedClassifierCV(LogisticRegression(max_iter=500), method="isotonic")
    ran = run(makers.numeric(tmp_path / "given", calibrated))
    assert ran.code == 1
    assert "Why: skl2onnx does not interpolate between the points of an isotonic calibration" in ran.err


@pytest.mark.parametrize(
    ("path", "options", "named"),
    [
        ("xgboost.XGBClassifier", {"n_estimators": 5}, True),
        ("xgboost.XGBRegressor", {"n_estimators": 5}, False),
        ("lightgbm.LGBMClassifier", {"n_estimators": 5, "verbose": -1}, False),
        ("lightgbm.LGBMRegressor", {"n_estimators": 5, "verbose": -1}, True),
        ("sklearn.ensemble.IsolationForest", {"n_estimators": 5, "random_state": 0}, True),
        ("sklearn.ensemble.HistGradientBoostingRegressor", {"max_iter": 5}, False),
        ("sklearn.svm.LinearSVC", {"random_state": 0}, True),
        ("sklearn.decomposition.PCA", {"n_components": 2}, False),
    ],
)
def test_estimators_of_numbers_are_faithful(
    tmp_path: Path, run: Any, path: str, options: dict[str, Any], named: bool
) -> None:
    # given
    import importlib

    from tests.importing import makers

    module, _, name = path.rpartition(".")
    estimator = getattr(importlib.import_module(module), name)(**options)
    # when
    ran = run(makers.numeric(tmp_path / "given", estimator, named=named))
    # then
    assert ran.code == 0, ran.err
    features = yaml.safe_load((ran.folder / "schema.yaml").read_text())["features"]
    assert [feature["name"] for feature in features] == makers.NUMBERS


@pytest.mark.parametrize(("kind", "suffix"), [("XGBClassifier", ".json"), ("XGBRegressor", ".ubj")])
def test_files_of_xgboost_need_no_trust(tmp_path: Path, run: Any, kind: str, suffix: str) -> None:
    import xgboost
    from tests.importing import makers

    made = makers.numeric(tmp_path / "given", getattr(xgboost, kind)(n_estimators=5))
    file = tmp_path / f"model{suffix}"
    made.trained.save_model(file)
    ran = run(makers.Made(file, made.sample, made.target, made.trained), trusted=False)
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("kind", ["LGBMClassifier", "LGBMRegressor"])
def test_files_of_lightgbm_need_no_trust(tmp_path: Path, run: Any, kind: str) -> None:
    import lightgbm
    from tests.importing import makers

    made = makers.numeric(tmp_path / "given", getattr(lightgbm, kind)(n_estimators=5, verbose=-1))
    file = tmp_path / "model.txt"
    made.trained.booster_.save_model(file)
    ran = run(makers.Made(file, made.sample, made.target, made.trained), trusted=False)
    assert ran.code == 0, ran.err


def test_a_file_of_skops_needs_no_trust(tmp_path: Path, run: Any) -> None:
    from tests.importing import makers

    ran = run(makers.churn(tmp_path / "given", suffix=".skops"), trusted=False)
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("named", [True, False], ids=["named", "unnamed"])
def test_an_onnx_file_gets_a_schema_and_golden_answers(tmp_path: Path, run: Any, named: bool) -> None:
    # given
    from skl2onnx import to_onnx
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from tests.importing import makers

    columns = [ColumnTransformer([("all", "passthrough", makers.NUMBERS)])] if named else []
    model = make_pipeline(*columns, LogisticRegression(max_iter=500))
    made = makers.numeric(tmp_path / "given", model, named=named)
    import pandas as pd

    rows = pd.read_csv(made.sample)[makers.NUMBERS].astype("float32")
    file = tmp_path / "model.onnx"
    given = rows[:1] if named else rows.to_numpy()[:1]
    file.write_bytes(to_onnx(made.trained, given, options={"zipmap": False}).SerializeToString())
    # when
    ran = run(makers.Made(file, made.sample, made.target, made.trained), trusted=False)
    # then
    assert ran.code == 0, ran.err
    line = next(line for line in golden(ran.folder) if line["status"] == 200)
    row = pd.DataFrame([line["request"]])[makers.NUMBERS]
    chances = made.trained.predict_proba(row if named else row.to_numpy())[0]
    assert line["answer"]["probabilities"] == pytest.approx(chances.tolist(), abs=1e-5)


@pytest.mark.parametrize("flavor", ["sklearn", "xgboost", "lightgbm", "onnx"])
def test_a_folder_of_mlflow_is_imported_by_its_flavour(tmp_path: Path, run: Any, flavor: str) -> None:
    # given folders as MLflow itself writes them
    import lightgbm
    import mlflow
    import xgboost
    from sklearn.linear_model import LogisticRegression
    from tests.importing import makers

    estimators = {
        "xgboost": xgboost.XGBClassifier(n_estimators=5),
        "lightgbm": lightgbm.LGBMClassifier(n_estimators=5, verbose=-1),
    }
    made = makers.numeric(tmp_path / "given", estimators.get(flavor, LogisticRegression(max_iter=500)))
    folder, model = tmp_path / "churn", made.trained
    if flavor == "onnx":
        import pandas as pd
        from skl2onnx import to_onnx

        rows = pd.read_csv(made.sample)[makers.NUMBERS].astype("float32")
        model = to_onnx(model, rows.to_numpy()[:1], options={"zipmap": False})
    getattr(mlflow, flavor).save_model(model, folder, pip_requirements=[])
    # when
    ran = run(makers.Made(folder, made.sample, made.target, made.trained))
    # then
    assert ran.code == 0, ran.err
