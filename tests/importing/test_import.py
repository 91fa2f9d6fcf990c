"""``viridian import`` as somebody runs it, with the libraries that made the models."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from viridian_import.commands.main import main
from viridian_shared.digest import digest_of

pytestmark = pytest.mark.importing


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str
    folder: Path


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    """Runs the command; a version is written to ``out/v1``."""

    def running(made: Any, *more: str, trusted: bool = True, served: bool = False) -> Ran:
        folder = tmp_path / "out" / "v1"
        arguments = ["import", str(made.model), "--sample", str(made.sample), "--out", str(folder), *more]
        arguments += ["--target", made.target] if made.target else []
        arguments += (["--trusted"] if trusted else []) + ([] if served else ["--no-check"])
        code = main(arguments)
        return Ran(code, *capfd.readouterr(), folder)

    return running


def golden(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "golden.jsonl").read_text().splitlines()]


def test_a_pipeline_of_mixed_columns_becomes_a_version_that_is_served(tmp_path: Path, run: Any) -> None:
    # given imputers, one-hot encoding and words of a text on columns with missing values
    from tests.importing import makers

    made = makers.churn(tmp_path / "given")
    # when
    ran = run(made, "--name", "churn", "--version", "v1.2.0", served=True)
    # then it is served, and answers as the original did
    assert ran.code == 0, ran.err
    assert re.search(r"faithful  46\d rows alike in float32: largest difference .*, labels that differ 0", ran.out)
    assert re.search(r"(\d+) of \1 golden requests are answered as written down", ran.out)
    names = {file.name for file in ran.folder.iterdir()}
    assert names == {"model.onnx", "schema.yaml", "sample.json", "golden.jsonl", "baseline.json", "MODEL_CARD.md"}
    # and the manifest names what was written
    manifest = yaml.safe_load((ran.folder.parent / "v1.yaml").read_text())
    assert manifest["metadata"]["name"] == "churn"
    assert manifest["spec"]["model"] == {
        "version": "v1.2.0",
        "uri": "image:///models/churn/v1.2.0",
        "digest": digest_of(ran.folder),
        "format": "onnx",
    }
    # and golden answers are the original's own, by the names of its classes
    import pandas as pd

    line = next(line for line in golden(ran.folder) if line["status"] == 200 and "" not in line["request"].values())
    chances = made.trained.predict_proba(pd.DataFrame([line["request"]]))[0]
    assert line["answer"]["probabilities"] == pytest.approx(dict(zip(["no", "yes"], chances, strict=True)))
    # and what the model cannot take is refused
    assert {line["case"]: line["status"] for line in golden(ran.folder)}["note is missing"] == 400
    baseline = json.loads((ran.folder / "baseline.json").read_text())
    assert baseline["features"]["city"]["missing"] == 15
    assert sum(baseline["predictions"]["label"]["categories"].values()) == baseline["rows"] == 400


def test_a_golden_answer_that_differs_fails_the_check(
    tmp_path: Path, run: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    # given a version of which one answer was written down otherwise
    from sklearn.linear_model import Ridge
    from tests.importing import makers

    ran = run(makers.numeric(tmp_path / "given", Ridge()))
    first, *others = golden(ran.folder)
    first["answer"]["prediction"] = 1e6
    (ran.folder / "golden.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (first, *others)))
    # when
    code = main(["check", str(ran.folder)])
    # then
    out = capfd.readouterr().out
    assert code == 1
    assert re.search(rf"{first['case']}: prediction is [\d.]+ and not 1000000.0", out), out
    assert f"{len(others)} of {len(others) + 1} golden requests are answered as written down" in out


def test_a_version_is_put_under_load(tmp_path: Path, run: Any, capfd: pytest.CaptureFixture[str]) -> None:
    from sklearn.linear_model import Ridge
    from tests.importing import makers

    ran = run(makers.numeric(tmp_path / "given", Ridge()))
    # when few requests have much time, and when they have none
    arguments = ["check", str(ran.folder), "--requests", "40"]
    kept = main([*arguments, "--concurrency", "2", "--p99", "60s"]), capfd.readouterr().out
    broken = main([*arguments, "--concurrency", "2", "--p99", "1ms"]), capfd.readouterr().out
    # then
    assert kept[0] == 0, kept[1]
    assert re.search(r"load      2 clients at once: p50 .* ms, p99 .* ms, 0 of 40 requests failed", kept[1])
    assert broken[0] == 1
    assert re.search(r"load, 2 clients at once: p99 is .* ms, above 1 ms", broken[1])


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


def test_a_pickle_is_not_loaded_without_trust(tmp_path: Path, run: Any) -> None:
    # given
    import joblib
    from tests.importing import makers

    file, marker = tmp_path / "m.joblib", tmp_path / "ran"
    sample = tmp_path / "train.csv"
    makers.customers(10).to_csv(sample)
    joblib.dump(_Touching(str(marker)), file)
    # when
    ran = run(makers.Made(file, sample, None, None), trusted=False)
    # then
    assert ran.code == 1
    assert "is a pickle, and loading one runs the code that is in it" in ran.err
    assert not marker.exists()


class _Touching:
    """Writes its environment, and whether it reaches a server, when it is loaded."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, (_PROGRAM.format(marker=self.marker),))


_PROGRAM = """
import json, os, socket
try:
    socket.create_connection(("127.0.0.1", int(open("{marker}.port").read())), 5).close()
    reached = True
except OSError:
    reached = False
open("{marker}", "w").write(json.dumps([reached, dict(os.environ)]))
"""


def test_a_pickle_that_is_trusted_has_neither_network_nor_environment(
    tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a server, a secret, and a pickle that looks for both
    import socket

    import joblib
    from tests.importing import makers

    monkeypatch.setenv("CLOUD_SECRET", "hunter2")
    file, marker, sample = tmp_path / "m.joblib", tmp_path / "ran", tmp_path / "train.csv"
    makers.customers(10).to_csv(sample)
    joblib.dump(_Touching(str(marker)), file)
    with socket.create_server(("127.0.0.1", 0)) as server:
        Path(f"{marker}.port").write_text(str(server.getsockname()[1]))
        # when
        ran = run(makers.Made(file, sample, None, None))
    # then
    assert ran.code == 1
    assert "holds a NoneType, and no model with predict(); save the model itself" in ran.err
    reached, environment = json.loads(marker.read_text())
    assert not reached
    assert "CLOUD_SECRET" not in environment


def test_the_step_that_cannot_be_converted_is_named_with_the_ways_out(tmp_path: Path, run: Any) -> None:
    # given
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer
    from tests.importing import makers

    made = makers.numeric(tmp_path / "given", make_pipeline(FunctionTransformer(abs), Ridge()))
    # when
    ran = run(made)
    # then
    assert ran.code == 1
    assert "step 'functiontransformer' (FunctionTransformer) cannot be converted to ONNX" in ran.err
    assert "move what it does into preprocess.py" in ran.err
    assert not ran.folder.exists()


def test_a_conversion_that_is_unfaithful_shows_the_rows_and_writes_nothing(tmp_path: Path, run: Any) -> None:
    # given an original that answers with fewer digits than numbers of 64 bits have
    from sklearn.linear_model import Ridge
    from tests.importing import makers

    made = makers.numeric(tmp_path / "given", Ridge())
    # when
    ran = run(made, "--tolerance", "1e-18")
    # then
    assert ran.code == 1
    assert "the ONNX file does not answer as the original does on" in ran.err
    assert re.search(r"row \d+ of the sample: prediction is .* and not .*\(age=", ran.err)
    assert "Nothing was written." in ran.err
    assert not ran.folder.exists()


def test_another_version_of_scikit_learn_is_said_in_one_sentence(tmp_path: Path, run: Any) -> None:
    # given a model that says it was made by another one
    from sklearn.linear_model import Ridge
    from tests.importing import makers

    made = makers.numeric(tmp_path / "given", Ridge())
    state = made.model.read_bytes()
    import sklearn

    older = b"1.2.3" + b" " * (len(sklearn.__version__) - 5)
    assert len(older) == len(sklearn.__version__)
    made.model.write_bytes(state.replace(sklearn.__version__.encode(), older))
    # when
    ran = run(made)
    # then
    assert ran.code == 0, ran.err
    assert "notice    the model was made by scikit-learn 1.2.3 and is run here by" in ran.out
    assert "pip install scikit-learn==1.2.3" in (ran.folder / "MODEL_CARD.md").read_text()


@pytest.mark.parametrize(
    ("sample", "arguments", "words"),
    [
        (None, [], "there is no file .*; name a CSV with rows like those"),
        ("age,income,visits\n", [], "has no rows; give a sample"),
        ("age,income\n1,2\n", [], "the sample lacks column 'visits', which the model was trained with"),
        ("age,income,visits\n1,2,3\n", ["--target", "y"], "--target 'y' is no column of the sample"),
        ("age,income,visits\n1,2,many\n", [], "the original fails every row of the sample"),
        (
            "age,income,visits\n1,2,3\n2,3,4\n3,4,5\n4,5,abc\n",
            [],
            r"\nThe likely cause: row 4 of the sample holds 'abc' in column 'visits', .*; correct that cell\n$",
        ),
        ('age,income,visits\n1,2,"3\n', [], "cannot be read as a table"),
        ("age,income,visits\n1,2,3\n", ["--dtype", "zip=string"], "--dtype names 'zip', which is no column"),
    ],
)
def test_a_sample_that_cannot_be_used_is_said(
    tmp_path: Path, run: Any, sample: str | None, arguments: list[str], words: str
) -> None:
    # given
    from sklearn.linear_model import Ridge
    from tests.importing import makers

    made = makers.numeric(tmp_path / "given", Ridge())
    file = tmp_path / "other.csv"
    if sample is not None:
        file.write_text(sample)
    # when
    ran = run(makers.Made(made.model, file, None, None), *arguments)
    # then
    assert ran.code == 1
    assert re.search(words, ran.err), ran.err


def test_a_sample_of_one_row_is_a_notice(tmp_path: Path, run: Any) -> None:
    from sklearn.linear_model import Ridge
    from tests.importing import makers

    made = makers.numeric(tmp_path / "given", Ridge())
    file = tmp_path / "one.csv"
    file.write_text("age,income,visits\n40,2000,3\n")
    # when
    ran = run(makers.Made(made.model, file, None, None))
    # then
    assert ran.code == 0, ran.err
    assert "sample    1 row, 3 features" in ran.out
    assert "notice    the sample has only 1 row: " in ran.out
    assert "give 100 or more" in (ran.folder / "MODEL_CARD.md").read_text()


def test_the_card_says_of_which_rows_both_answered(tmp_path: Path, run: Any) -> None:
    # given a model that fails rows with a missing value
    from sklearn.linear_model import Ridge
    from tests.importing import makers

    # when
    ran = run(makers.numeric(tmp_path / "given", Ridge()))
    # then
    card = (ran.folder / "MODEL_CARD.md").read_text()
    said = re.search(r"the same (\d+) rows alike \((.*)\)", card)
    assert said is not None
    assert sum(int(part.split()[0]) for part in said[2].split(", ")) == int(said[1])
    assert "missing" not in said[2]


def test_a_version_is_not_written_over(tmp_path: Path, run: Any) -> None:
    from sklearn.linear_model import Ridge
    from tests.importing import makers

    made = makers.numeric(tmp_path / "given", Ridge())
    (tmp_path / "out" / "v1").mkdir(parents=True)
    ran = run(made)
    assert ran.code == 1
    assert "is there already, and a version never changes once it was made" in ran.err


def test_values_of_sensitive_features_leave_in_no_file(tmp_path: Path, run: Any) -> None:
    # given a model that reads a column called email
    import numpy as np
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    from tests.importing import makers

    table = makers.customers(60)[["age", "churned"]].assign(email=[f"u{i}@example.org" for i in range(60)])
    columns = ColumnTransformer(
        [("e", OneHotEncoder(handle_unknown="ignore"), ["email"]), ("a", "passthrough", ["age"])]
    )
    trained = make_pipeline(columns, LogisticRegression(max_iter=500)).fit(table, np.arange(60) % 2)
    # when
    ran = run(makers.saved(tmp_path / "given", trained, table, "churned"))
    # then only the model itself, which learnt them, has them
    assert ran.code == 0, ran.err
    for file in ran.folder.iterdir():
        assert file.name == "model.onnx" or b"@example.org" not in file.read_bytes(), file


def _network(tmp_path: Path, width: int) -> Any:
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from tests.importing import makers

    network = MLPClassifier((width, width), max_iter=5, random_state=0)
    return makers.numeric(tmp_path / "given", make_pipeline(StandardScaler(), network), labelled=True)


def test_int8_is_used_where_it_is_faster_and_as_good(tmp_path: Path, run: Any) -> None:
    # given a network whose products of matrices take most of its time
    made = _network(tmp_path, 1024)
    # when
    ran = run(made, "--quantize", "int8", "--max-accuracy-loss", "5", "--profile", served=True)
    # then
    assert re.search(r"int8      [\d.]+ → [\d.]+ points, .* bytes, 1 row [\d,]+ → [\d,]+ µs", ran.out), ran.err
    assert ran.code == 0, ran.err + ran.out
    assert re.search(r"\n +\S+ +(MatMul|Gemm|FusedGemm) +[\d.]+ µs +[\d.]+ %\n", ran.out)
    assert "| quantized | int8: " in (ran.folder / "MODEL_CARD.md").read_text()


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ("5", "nothing of it can be quantized: it has no products of matrices"),
        ("-100", "it loses .* points on the sample"),
    ],
)
def test_int8_that_is_not_worth_having_is_refused(tmp_path: Path, run: Any, loss: str, words: str) -> None:
    # given trees, or a network that may lose less than nothing
    from sklearn.tree import DecisionTreeClassifier
    from tests.importing import makers

    made = (
        _network(tmp_path, 8)
        if loss == "-100"
        else makers.numeric(tmp_path / "given", DecisionTreeClassifier(max_depth=3, random_state=0), labelled=True)
    )
    # when
    ran = run(made, "--quantize", "int8", "--max-accuracy-loss", loss)
    # then
    assert ran.code == 1
    assert re.search(f"int8 is not used: {words}.*; leave --quantize out to import the float model", ran.err), ran.err
    assert not ran.folder.exists()
