"""``viridian baseline``: from a table to what pods compare with."""

import json
from pathlib import Path

import pytest

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


def test_a_file_of_json_lines_is_counted_as_the_same_table(sample: Path) -> None:
    # given
    names, *rows = (line.split(",") for line in sample.read_text().splitlines())
    objects = [dict(zip(names, [int(age), *texts, int(churned)], strict=True)) for age, *texts, churned in rows]
    lines = sample.with_suffix(".jsonl")
    lines.write_text("".join(f"{json.dumps(each)}\n" for each in objects))
    # when
    written = []
    for file in (sample, lines):
        assert main(["baseline", str(file), "--target", "churned", "--into", str(sample.parent)]) == 0
        written.append(json.loads((sample.parent / "baseline.json").read_text()))
    # then
    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--target", "y"], "--target 'y' is no column of the sample; its columns are age, city, email, churned"),
        (["--output", "label"], "--output names the output that answers a column; name that with --target"),
        (["--into", "nowhere"], "there is no folder nowhere; name the one that the model is in with --into"),
    ],
)
def test_what_is_wrong_is_said(sample: Path, more: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["baseline", str(sample), *more]) == 1
    assert words in capsys.readouterr().err
