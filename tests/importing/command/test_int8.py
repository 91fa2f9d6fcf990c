"""Networks in 8-bit integers, where that pays."""

import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.importing


def _network(tmp_path: Path, width: int) -> Any:
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from tests.importing import makers

    network = MLPClassifier((width, width), max_iter=5, random_state=0)
    return makers.numeric(tmp_path / "given", make_pipeline(StandardScaler(), network), labelled=True)


def test_int8_is_used_where_it_is_faster_and_as_good(
    tmp_path: Path, run: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # given a network whose products of matrices take most of its time
    made = _network(tmp_path, 1024)
    # when
    ran = run(made, "--quantize", "int8", "--max-accuracy-loss", "5", "--profile", served=True)
    # then
    assert re.search(r"int8      [\d.]+ → [\d.]+ points, .* bytes, 1 row [\d,]+ → [\d,]+ µs", ran.out), ran.err
    assert ran.code == 0, ran.err + ran.out
    assert re.search(r"\n +\S+ +(MatMul|Gemm|FusedGemm) +[\d.]+ µs +[\d.]+ %\n", ran.out)
    # and no library's own warnings are in between
    assert "WARNING" not in ran.err + ran.out
    assert not caplog.records
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
