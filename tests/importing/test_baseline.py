"""``viridian baseline``: from a table to what pods compare with."""

import json
from pathlib import Path

import pytest

from viridian.cli.drift.bins import on_shared_bins
from viridian_import.commands.main import main
from viridian_serving.contract.baseline_file import read_baseline

pytestmark = pytest.mark.importing

CITIES = ("Rome", "Bern", "Bern", "Bern")
ROWS = "".join(f"{20 + i % 40},{CITIES[i % 4]},a@b,{i % 2}\n" for i in range(200))


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    file = tmp_path / "train.csv"
    file.write_text(f"age,city,email,churned\n{ROWS}")
    return file


def test_a_table_becomes_a_baseline_that_pods_can_read(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # when
    code = main(["baseline", str(sample), "--target", "churned", "--output", "label", "--into", str(sample.parent)])
    # then
    found = read_baseline(sample.parent)
    assert code == 0
    assert found is not None
    assert found.features.keys() == {"age", "city"}
    assert found.features["city"].counts == {"Bern": 150, "Rome": 50, "other": 0, "missing": 0}
    assert found.predictions["label"].counts == {"0": 100, "1": 100, "other": 0, "missing": 0}
    assert "2 features of 200 rows\nleft out  email" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".csv.gz"])
def test_another_form_of_file_is_counted_as_the_same_table(sample: Path, suffix: str) -> None:
    import pandas as pd

    # given the same rows, with their types
    frame = pd.read_csv(sample)
    other = sample.parent / f"train{suffix}"
    if suffix == ".jsonl":
        frame.to_json(other, orient="records", lines=True)
    elif suffix == ".parquet":
        frame.to_parquet(other)
    else:
        frame.to_csv(other, index=False)
    # when
    written = []
    for file in (sample, other):
        assert main(["baseline", str(file), "--target", "churned", "--into", str(sample.parent)]) == 0
        written.append(json.loads((sample.parent / "baseline.json").read_text()))
    # then
    assert written[0]["rows"] == 200
    assert written[0] == written[1]


def test_a_parquet_file_keeps_missing_values_and_types(tmp_path: Path) -> None:
    import pandas as pd

    # given numbers with a missing one, booleans, and times, which are texts to a model
    file = tmp_path / "train.parquet"
    frame = pd.DataFrame({"age": [20.5, None, 40.5, 50.5], "member": [True, False, True, True]})
    frame["since"] = pd.to_datetime(["2026-01-01", "2026-01-02", None, "2026-01-04"])
    frame.to_parquet(file)
    # when
    assert main(["baseline", str(file), "--into", str(tmp_path)]) == 0
    # then
    found = json.loads((tmp_path / "baseline.json").read_text())["features"]
    assert (found["age"]["missing"], sum(found["age"]["counts"])) == (1, 3)
    assert found["member"]["categories"] == {"false": 1, "true": 3}
    assert found["since"].keys() <= {"categories", "missing", "lengths"}


def test_codes_are_numbers_until_the_command_says_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # given
    file = tmp_path / "train.csv"
    file.write_text("branch,age\n" + "007,30\n012,40\n" * 20)
    found = []
    for more in ([], ["--dtype", "branch=string"]):
        # when
        assert main(["baseline", str(file), "--into", str(tmp_path), *more]) == 0
        counted = json.loads((tmp_path / "baseline.json").read_text())["features"]["branch"]
        found.append((counted.get("categories"), "branch=string" in capsys.readouterr().out))
    # then
    assert found == [(None, True), ({"007": 20, "012": 20}, False)]


def test_the_edges_of_an_earlier_version_are_kept(tmp_path: Path) -> None:
    # given a version, and rows of later: users are older, and none is below 30
    folders = []
    for version, ages, more in (("v1", range(18, 66), []), ("v2", range(31, 80), ["--bins", str(tmp_path / "v1")])):
        folders.append(tmp_path / version)
        folders[-1].mkdir()
        sample = tmp_path / f"{version}.csv"
        sample.write_text("age,score\n" + "".join(f"{age},{age / 100}\n" for age in ages))
        # when
        arguments = ["baseline", str(sample), "--target", "score", "--output", "score", "--into", str(folders[-1])]
        assert main([*arguments, *more]) == 0
    # then pods count both on bins that can be joined to the same ones
    before, after = (read_baseline(folder) for folder in folders)
    assert before is not None
    assert after is not None
    for one, other in (
        (before.features["age"], after.features["age"]),
        (before.predictions["score"], after.predictions["score"]),
    ):
        shared = on_shared_bins(one.counts, other.counts)
        assert shared is not None
        assert len(shared[0]) >= 8
    assert sum(after.features["age"].counts.values()) == 49
    assert after.features["age"].counts["below"] == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--target", "y"], "--target 'y' is no column of the sample; its columns are age, city, email, churned"),
        (["--output", "label"], "--output names the output that answers a column; name that with --target"),
        (["--bins", "nowhere"], "--bins names a version's folder, and nowhere has no baseline.json"),
        (["--into", "nowhere"], "there is no folder nowhere; name the one that the model is in with --into"),
    ],
)
def test_what_is_wrong_is_said(sample: Path, more: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["baseline", str(sample), *more]) == 1
    assert words in capsys.readouterr().err
