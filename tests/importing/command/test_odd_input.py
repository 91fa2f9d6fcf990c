"""``viridian import`` of files and samples that are broken, or not quite what the model was trained with."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.importing.command.running import golden

from viridian_import.commands.main import main

pytestmark = pytest.mark.importing


class _Crashing:
    """Ends the process that loads it as a fault of native code does."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",))


def test_a_crash_of_the_library_is_named_as_such(tmp_path: Path, run: Any) -> None:
    # given
    import joblib
    from tests.importing import makers

    file, sample = tmp_path / "m.joblib", tmp_path / "train.csv"
    joblib.dump(_Crashing(), file)
    makers.customers(10).to_csv(sample)
    # when
    ran = run(makers.Made(file, sample, None, None))
    # then
    assert ran.code == 1
    assert f"viridian: joblib crashed (SIGSEGV) while it read {file}; the file is damaged, or not a file of" in ran.err


@pytest.mark.parametrize(
    ("suffix", "words"),
    [
        (".txt", r"LightGBM crashed \(SIG\w+\) while it read|cannot be loaded by LightGBM"),
        (".json", r"cannot be loaded by XGBoost [\d.]+ \(XGBoostError: Expecting"),
        (".ubj", r"cannot be loaded by XGBoost [\d.]+ \(XGBoostError: "),
        (".joblib", r"cannot be loaded by joblib [\d.]+ \(\w+: "),
        (".skops", r"cannot be loaded by skops [\d.]+ \(BadZipFile: File is not a zip file\)"),
    ],
)
def test_half_a_file_is_said_to_be_damaged(tmp_path: Path, run: Any, suffix: str, words: str) -> None:
    # given the first half of a model

    made = _boosted(tmp_path, suffix)
    whole = made.model.read_bytes()
    made.model.write_bytes(whole[: len(whole) // 2])
    # when
    ran = run(made)
    # then it is one sentence, without places in anybody's source
    assert ran.code == 1
    assert re.search(words, ran.err), ran.err
    assert re.search(r"; (it|the file) is damaged, or not a file of \w+, or made by another version", ran.err), ran.err
    assert not re.search(r"Stack trace|Traceback|\.(cc|h):\d|\[bt\]", ran.err), ran.err
    assert not ran.folder.exists()


def _boosted(folder: Path, suffix: str) -> Any:
    from sklearn.linear_model import Ridge
    from tests.importing import makers

    if suffix in (".joblib", ".skops"):
        made = makers.numeric(folder, Ridge())
        return makers.saved(folder, made.trained, makers.customers(), made.target, suffix)
    table = makers.customers(200)
    if suffix == ".txt":
        import lightgbm

        booster = lightgbm.LGBMRegressor(n_estimators=20, verbose=-1).fit(table[makers.NUMBERS], table.spend).booster_
    else:
        import xgboost

        booster = xgboost.XGBRegressor(n_estimators=20).fit(table[makers.NUMBERS], table.spend)
    made = makers.saved(folder, booster, table, "spend")
    booster.save_model(folder / f"m{suffix}")
    return makers.Made(folder / f"m{suffix}", made.sample, made.target, booster)


def _external(folder: Path) -> Any:
    """An ONNX file whose weights are in another one."""
    import numpy as np
    import onnx
    from tests.importing import makers

    folder.mkdir()
    weights = onnx.numpy_helper.from_array(np.arange(3, dtype=np.float32).reshape(3, 1), "W")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["X", "W"], ["prediction"])],
        "linear",
        [onnx.helper.make_tensor_value_info("X", onnx.TensorProto.FLOAT, ["N", 3])],
        [onnx.helper.make_tensor_value_info("prediction", onnx.TensorProto.FLOAT, ["N", 1])],
        [weights],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "m.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    table = makers.customers(120)[makers.NUMBERS].fillna(45_000)
    table.to_csv(folder / "train.csv", index=False)
    return makers.Made(folder / "m.onnx", folder / "train.csv", None, None)


def test_an_onnx_file_with_its_weights_beside_it_becomes_one_file(tmp_path: Path, run: Any) -> None:
    import onnx

    ran = run(_external(tmp_path / "given"))
    assert ran.code == 0, ran.err
    model = onnx.load(ran.folder / "model.onnx", load_external_data=False)
    assert not any(each.external_data for each in model.graph.initializer)


def test_weights_that_are_missing_are_named(tmp_path: Path, run: Any) -> None:
    made = _external(tmp_path / "given")
    (made.model.parent / "weights.bin").unlink()
    ran = run(made)
    assert ran.code == 1
    assert f"{made.model} has its weights in another file, weights.bin, which is not beside it; copy" in ran.err


def _coded(folder: Path, codes: list[str]) -> Any:
    """A model that has learnt postal codes as texts, and labels that are codes too; its sample is a plain CSV."""
    import numpy as np
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    from tests.importing import makers

    table = makers.customers(200)[["age"]]
    table["branch"] = [codes[i % len(codes)] for i in range(len(table))]
    table["group"] = np.where(table.age > 50, "01", "02")
    encoded = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    columns = ColumnTransformer([("b", encoded, ["branch"]), ("a", "passthrough", ["age"])])
    trained = make_pipeline(columns, LogisticRegression(max_iter=500)).fit(table, table.group)
    return makers.saved(folder, trained, table, "group")


@pytest.mark.parametrize("codes", [["1010", "8010", "4020"], ["01234", "80331", "00007"]])
def test_codes_that_the_model_has_learnt_as_texts_are_read_as_texts(tmp_path: Path, run: Any, codes: list[str]) -> None:
    # when nothing says so but the model
    ran = run(_coded(tmp_path / "given", codes))
    # then
    assert ran.code == 0, ran.err
    assert "notice    branch looks like a number, and is read as text, as the model has learnt it" in ran.out
    assert "notice    group looks like a number, and is read as text, as the model has learnt it" in ran.out
    assert "begins with 0" not in ran.out
    features = yaml.safe_load((ran.folder / "schema.yaml").read_text())["features"]
    branch = next(each for each in features if each["name"] == "branch")
    assert (branch["type"], branch["categories"]) == ("string", sorted(codes))


def test_what_the_command_says_of_a_column_is_kept(tmp_path: Path, run: Any) -> None:
    # given codes that somebody insists are numbers
    ran = run(_coded(tmp_path / "given", ["1010", "8010"]), "--dtype", "branch=integer")
    # then the model fails them, and the way out is found by asking it
    assert ran.code == 1
    assert "the original fails every row of the sample" in ran.err
    assert ran.err.endswith(
        "The likely cause: the model takes texts in column 'branch', which holds numbers; --dtype branch=string\n"
    )


@pytest.mark.parametrize(
    ("written", "cause", "more"),
    [
        (
            lambda member: "yes" if member else "no",
            "column 'member' holds texts such as '(yes|no)', and the model takes numbers there; .*=boolean",
            ["--dtype", "member=boolean"],
        ),
        (
            lambda member: "1,5" if member else "0,5",
            "column 'member' holds numbers with a comma, such as '[01],5'; write them with a point",
            [],
        ),
    ],
    ids=["yes and no", "decimal commas"],
)
def test_texts_in_the_place_of_numbers_are_found(
    tmp_path: Path, run: Any, written: Any, cause: str, more: list[str]
) -> None:
    # given
    from sklearn.linear_model import Ridge
    from tests.importing import makers

    table = makers.customers(120)[["age", "spend"]].assign(member=[i % 3 == 0 for i in range(120)])
    trained = Ridge().fit(table[["age", "member"]], table.spend)
    made = makers.saved(tmp_path / "given", trained, table.assign(member=table.member.map(written)), "spend")
    # when
    ran = run(made)
    # then
    assert ran.code == 1
    assert re.search(f"\nThe likely cause: {cause}", ran.err), ran.err
    # and what it says helps
    if more:
        assert run(made, *more).code == 0


def test_rows_that_the_original_fails_are_said_and_not_measured(tmp_path: Path, run: Any) -> None:
    # given a model that takes no missing value, and a sample with some in its first rows
    import pandas as pd
    from sklearn.linear_model import Ridge
    from tests.importing import makers

    made = makers.numeric(tmp_path / "given", Ridge())
    table = pd.read_csv(made.sample)
    table.loc[:4, "visits"] = None
    table.to_csv(made.sample, index=False)
    # when
    ran = run(made)
    # then
    assert ran.code == 0, ran.err
    assert re.search(
        r"notice    the original fails row 1, 2, 3 and 2 more of the sample \(ValueError: .*\); schema", ran.out
    )
    assert re.search(r"speed     100 rows: original", ran.out)


def test_rows_that_only_the_schema_refuses_are_said(tmp_path: Path, run: Any) -> None:
    # given an imputer, and a sample in which nothing is missing
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from tests.importing import makers

    # when
    ran = run(makers.numeric(tmp_path / "given", make_pipeline(SimpleImputer(), Ridge())))
    # then every row to compare is in a line
    assert ran.code == 0, ran.err
    said = (
        "your model answers rows that schema.yaml refuses, as the sample has none like them: age is missing, income is "
        "missing, visits is missing."
    )
    assert f"notice    {said}" in ran.out
    assert said in (ran.folder / "MODEL_CARD.md").read_text()
    rows, alike, both, alone = (
        int(re.search(pattern, ran.out)[1])  # type: ignore[index]
        for pattern in (r"(\d+) rows to compare", r"(\d+) rows alike", r"refused by both (\d+)", r"alone (\d+)")
    )
    assert rows == alike + both + alone
    assert [line["status"] for line in golden(ran.folder) if line["case"] == "age is missing"] == [400]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ["--dtype", "x=float"],
            2,
            "'x=float': there is no type 'float'; write x=number; the types are number, integer",
        ),
        (["--dtype", "x=Wort"], 2, "'x=Wort': there is no type 'Wort'; the types are number, integer, string, boolean"),
        (["--dtype", "x"], 2, "'x' is no COLUMN=TYPE; write for example zip=string"),
        (["--max-accuracy-loss", "nan"], 2, "'nan' is no number of points up to 100"),
        (["--code", "nowhere"], 2, "there is no folder nowhere"),
        (["--quantize", "int8"], 1, "--quantize measures accuracy on the sample; name the column to predict with"),
        (["--native", "--quantize", "int8", "--target", "y"], 1, "--quantize and --profile are of ONNX files"),
        (["--requirements", __file__], 1, "--requirements is what a model needs that is served by its own library"),
        (["--out", "/dev/null/v1"], 1, "/dev/null is no folder that you may write into; give another --out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_succeed_is_refused_before_anything_is_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    # given a model that cannot be read, and no sample
    model = tmp_path / "m.joblib"
    model.write_bytes(b"x")
    # when
    try:
        ended = main(["import", str(model), "--sample", str(tmp_path / "none.csv"), "--trusted", *arguments])
    except SystemExit as exit_:
        ended = int(str(exit_.code))
    # then
    assert ended == code
    assert words in capfd.readouterr().err
