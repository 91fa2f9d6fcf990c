"""Models that stay as they are, served by the libraries that trained them, before the real Triton."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from viridian_import.commands.main import main

pytestmark = pytest.mark.importing


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Imports a model natively to ``out/v1``; its packages are not looked up."""
    locked = tmp_path / "locked.txt"
    locked.write_text("scikit-learn==1.0 --hash=sha256:00\n")

    def running(made: Any, *more: str, trusted: bool = True) -> int:
        arguments = ["import", str(made.model), "--sample", str(made.sample), "--out", str(tmp_path / "out" / "v1")]
        arguments += ["--target", made.target] if made.target else []
        arguments += ["--native", "--requirements", str(locked), *(["--trusted"] if trusted else [])]
        return main([*arguments, *more])

    return running


def _pipeline(folder: Path) -> Any:
    from tests.importing import makers

    return makers.churn(folder)


def _isotonic(folder: Path) -> Any:
    """What has no faithful ONNX file."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.linear_model import LogisticRegression
    from tests.importing import makers

    return makers.numeric(folder, CalibratedClassifierCV(LogisticRegression(max_iter=500), method="isotonic"))


def _text(folder: Path) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from tests.importing import makers

    table = makers.customers()
    trained = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(table.note, table.churned)
    return makers.saved(folder, trained, table[["note", "churned"]], "churned")


def _own_file(name: str) -> Callable[[Path], Any]:
    def make(folder: Path) -> Any:
        import lightgbm
        import xgboost
        from tests.importing import makers

        kind = lightgbm.LGBMRegressor if name.endswith(".txt") else xgboost.XGBClassifier
        made = makers.numeric(folder, kind(n_estimators=5))
        getattr(made.trained, "booster_", made.trained).save_model(folder / name)
        return makers.Made(folder / name, made.sample, made.target, made.trained)

    return make


@pytest.mark.parametrize(
    ("make", "form", "trusted"),
    [
        (_pipeline, "sklearn", True),
        (_isotonic, "sklearn", True),
        (_text, "sklearn", True),
        (_own_file("model.json"), "xgboost", False),
        (_own_file("model.txt"), "lightgbm", False),
    ],
    ids=["pipeline", "isotonic", "text", "XGBoost", "LightGBM"],
)
def test_a_model_is_served_by_its_own_library(
    tmp_path: Path, run: Any, capfd: pytest.CaptureFixture[str], make: Callable[[Path], Any], form: str, trusted: bool
) -> None:
    # given
    made = make(tmp_path / "given")
    # when it is imported, served and asked, then also by several clients at once, whose requests are joined
    imported = run(made, trusted=trusted), capfd.readouterr()
    arguments = ["check", str(tmp_path / "out" / "v1"), "--concurrency", "8", "--requests", "80", "--p99", "60s"]
    checked = main([*arguments, *(["--trusted"] if trusted else [])]), capfd.readouterr()
    # then all is answered as its library answers it
    assert imported[0] == 0, imported[1]
    assert re.search(r"(\d+) of \1 golden requests are answered as written down", imported[1].out)
    assert checked[0] == 0, checked[1]
    assert "0 of 80 requests failed" in checked[1].out
    # and the manifest says what it is
    manifest = yaml.safe_load((tmp_path / "out" / "v1.yaml").read_text())
    assert manifest["spec"]["model"]["format"] == form
    assert manifest["spec"]["model"].get("trusted", False) == trusted
    assert (tmp_path / "out" / "v1" / "requirements.txt").read_text().startswith("scikit-learn==1.0")


def _described(folder: Path, change: dict[str, Any]) -> None:
    file = folder / "native.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))


@pytest.mark.parametrize(
    ("spoil", "trusted", "words"),
    [
        (lambda folder: None, False, "is loaded by running the code in it; set model.trusted to true"),
        (
            lambda folder: _described(folder, {"versions": {"scikit-learn": "1.2.3"}}),
            True,
            "it was imported with scikit-learn 1.2.3 and this image has .*, which may answer otherwise",
        ),
        (
            lambda folder: _described(folder, {"versions": {"no-such-package": "1.0"}}),
            True,
            r"it needs no-such-package 1.0, which this image does not have; build .* \(MODEL_REQUIREMENTS\)",
        ),
        (
            lambda folder: _older(folder / "model.joblib"),
            True,
            "model.joblib was made by scikit-learn 1.2.3 and this image has",
        ),
        (
            lambda folder: (folder / "model.joblib").write_bytes(b"no"),
            True,
            r"model.joblib cannot be loaded by scikit-learn \(\w+: .*\); it is damaged, or .* requirements.txt",
        ),
        (lambda folder: (folder / "native.json").write_text('{"format": "sklearn"}'), True, "cannot be used"),
    ],
    ids=["no trust", "version", "package", "pickle's version", "damaged", "not described"],
)
def test_what_cannot_be_run_ends_the_start_with_a_sentence(
    tmp_path: Path,
    run: Any,
    capfd: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    trusted: bool,
    words: str,
) -> None:
    # given
    from sklearn.linear_model import Ridge
    from tests.importing import makers

    assert run(makers.numeric(tmp_path / "given", Ridge()), "--no-check") == 0
    folder = tmp_path / "out" / "v1"
    spoil(folder)
    # when
    code = main(["check", str(folder), *(["--trusted"] if trusted else [])])
    # then
    assert code == 1
    err = capfd.readouterr().err
    assert re.search(f"Model out v1 cannot be served: .*{words}", err), err
    (log,) = re.findall(r"^The pod's log is (.*)$", err, re.MULTILINE)
    assert Path(log).is_file()
    shutil.rmtree(Path(log).parent)


def test_modules_of_ones_own_are_refused_at_once(tmp_path: Path, run: Any, capfd: pytest.CaptureFixture[str]) -> None:
    from sklearn.linear_model import Ridge
    from tests.importing import makers

    code = run(makers.numeric(tmp_path / "given", Ridge()), "--code", str(tmp_path))
    assert code == 1
    said = capfd.readouterr()
    assert re.search(r"pods have no modules of .* \(--code\); make a package of them, .* --requirements", said.err)
    assert said.out == ""


def _older(file: Path) -> None:
    import sklearn

    older = b"1.2.3" + b" " * (len(sklearn.__version__) - 5)
    file.write_bytes(file.read_bytes().replace(sklearn.__version__.encode(), older))


def test_packages_are_locked_with_their_hashes() -> None:
    import sklearn

    from viridian_import.write.requirements import lock

    lines = lock({"scikit-learn": sklearn.__version__}).splitlines()
    names = {line.partition("==")[0] for line in lines}
    assert {"scikit-learn", "numpy", "scipy", "pandas", "joblib"} <= names
    assert all(re.fullmatch(r"\S+==\S+ --hash=sha256:[0-9a-f]{64}", line) for line in lines)
    assert next(line for line in lines if line.startswith("numpy==")).startswith("numpy==1.")
