"""``viridian import`` as somebody runs it, with the libraries that made the models."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.importing.command.running import golden

from viridian_import.commands.main import main
from viridian_import.sample.reading import codes_read_as_numbers, read_table
from viridian_serving.codec.tensors import Kind
from viridian_shared.digest import digest_of

pytestmark = pytest.mark.importing


def test_a_pipeline_of_mixed_columns_becomes_a_version_that_is_served(tmp_path: Path, run: Any) -> None:
    # given imputers, one-hot encoding and words of a text on columns with missing values
    from tests.importing import makers

    made = makers.churn(tmp_path / "given")
    # when
    ran = run(made, "--name", "churn", "--version", "v1.2.0", served=True)
    # then it is served, and answers as the original did; what a pod logs is of no interest
    assert ran.code == 0, ran.err
    assert ran.err == ""
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
    # and the pod's log is kept
    log = Path(re.findall(r"^log       of the pod: (.*)$", out, re.MULTILINE)[0])
    assert "Triton" in log.read_text()
    shutil.rmtree(log.parent)


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
        (None, [], "there is no file .*; name a table: CSV, Parquet, or a JSON object a line"),
        ("age,income,visits\n", [], "has no rows; a table has a line with the names of its columns"),
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


def test_a_version_keeps_the_bins_of_an_earlier_one(tmp_path: Path, run: Any) -> None:
    # given a version, and a sample of older users
    import pandas as pd
    from tests.importing import makers

    made = makers.churn(tmp_path / "given")
    assert run(made).code == 0
    earlier = (tmp_path / "out" / "v1").rename(tmp_path / "earlier")
    rows = pd.read_csv(made.sample)
    rows.assign(age=rows["age"] + 3).to_csv(made.sample, index=False)
    # when
    ran = run(made, "--bins", str(earlier))
    # then
    assert ran.code == 0, ran.err
    before, after = (json.loads((folder / "baseline.json").read_text()) for folder in (earlier, ran.folder))
    assert after["features"]["age"]["edges"] == before["features"]["age"]["edges"]
    assert after["features"]["age"]["counts"] != before["features"]["age"]["counts"]
    both = zip(before["predictions"]["probabilities"], after["predictions"]["probabilities"], strict=True)
    assert all(one["edges"] == other["edges"] for one, other in both)


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


def test_codes_that_pandas_takes_for_numbers_are_found(tmp_path: Path) -> None:
    # given
    file = tmp_path / "train.csv"
    file.write_text("zip,branch,age,share,city\n80331,007,31,0.5,Graz\n01234,012,0,00.5,01\n,3,40,0.25,02\n")

    # then those that a kind was given for are meant so, and neither 0 nor 0.5 is a code
    def found(**kinds: Kind) -> dict[str, str]:
        return codes_read_as_numbers(file, read_table(file, kinds), kinds)

    assert found(branch=Kind.INTEGER) == {"zip": "01234", "share": "00.5"}
    assert found(zip=Kind.STRING, branch=Kind.STRING) == {"share": "00.5"}
