"""``viridian import`` of what PyTorch and CatBoost made, by a torch as its users have it; no part of ``make test``."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.importing import networks
from tests.importing.texts import sample, transformer

from viridian_import.commands.main import main

pytestmark = pytest.mark.transformers

_TEXTS = ("the food was very good", "Anna lives in Graz", "a", "Unknown wordz here!", "good " * 100)


def run(model: Path, rows: Path, out: Path, *more: str) -> int:
    return main(["import", str(model), "--sample", str(rows), "--out", str(out), *more])


def answers(folder: Path) -> dict[str, Any]:
    """What was answered to the first golden request."""
    answer: dict[str, Any] = json.loads((folder / "golden.jsonl").read_text().splitlines()[0])["answer"]
    return answer


@pytest.mark.parametrize(
    ("kind", "options", "mask", "expected"),
    [
        (
            "BertForSequenceClassification",
            {"id2label": {0: "angry", 1: "calm", 2: "happy"}, "label2id": {"angry": 0, "calm": 1, "happy": 2}},
            "",
            {"prediction", "confidence", "probabilities"},
        ),
        ("BertForSequenceClassification", {"problem_type": "multi_label_classification"}, "", {"prediction"}),
        ("BertForSequenceClassification", {"num_labels": 1}, "", {"prediction"}),
        ("BertForTokenClassification", {}, "", {"prediction", "outputs"}),
        ("BertForMaskedLM", {}, "[MASK] ", {"prediction", "outputs"}),
        ("BertModel", {}, "", {"prediction"}),
    ],
    ids=["classes", "several classes", "a score", "tokens", "masks", "embeddings"],
)
def test_a_transformer_becomes_a_version_that_takes_texts(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    kind: str,
    options: dict[str, Any],
    mask: str,
    expected: set[str],
) -> None:
    # given
    folder = transformer(tmp_path / "model", kind, **options)
    rows = sample(tmp_path / "texts.csv", [mask + text for text in _TEXTS])
    # when it is imported and served
    code = run(folder, rows, tmp_path / "v1")
    # then
    out, err = capfd.readouterr()
    assert code == 0, out + err
    assert re.search(r"(\d+) of \1 golden requests are answered as written down", out), out
    assert expected <= answers(tmp_path / "v1").keys()
    assert {"preprocess.py", "tokenizer.json", "schema.yaml"} <= {file.name for file in (tmp_path / "v1").iterdir()}


def test_classes_have_their_names_and_the_library_s_own_probabilities(tmp_path: Path) -> None:
    import torch
    import transformers

    labels = {"angry": 0, "calm": 1, "happy": 2}
    options = {"label2id": labels, "id2label": {number: name for name, number in labels.items()}}
    folder = transformer(tmp_path / "model", "BertForSequenceClassification", **options)
    assert run(folder, sample(tmp_path / "texts.csv", _TEXTS), tmp_path / "v1", "--no-check") == 0
    # when transformers itself is asked
    encoded = transformers.AutoTokenizer.from_pretrained(folder)(_TEXTS[0], return_tensors="pt")
    with torch.no_grad():
        logits = transformers.AutoModelForSequenceClassification.from_pretrained(folder)(**encoded).logits
    # then
    chances = dict(zip(labels, torch.softmax(logits, -1)[0].tolist(), strict=True))
    assert answers(tmp_path / "v1")["probabilities"] == pytest.approx(chances, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"architectures": ["GPT2LMHeadModel"]}, "is a GPT2LMHeadModel; what is imported are sequence and token"),
        ({"auto_map": {"AutoModel": "code.Model"}}, "brings its own Python code for its architecture"),
        ({"hidden_size": 33}, "cannot be loaded by transformers"),
    ],
)
def test_what_is_no_such_transformer_is_refused_with_a_way_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], change: dict[str, Any], words: str
) -> None:
    folder = transformer(tmp_path / "model", "BertModel")
    config = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(config))
    code = run(folder, sample(tmp_path / "texts.csv", _TEXTS), tmp_path / "v1")
    assert code == 1
    assert words in capfd.readouterr().err


@pytest.mark.parametrize("file", ["program.pt2", "script.pt", "classes.cbm", "numbers.cbm"])
def test_models_of_torch_and_catboost_are_faithful(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], file: str
) -> None:
    import catboost
    import torch
    from tests.importing.makers import NUMBERS, customers

    table = customers().fillna({"income": 45_000})
    table[NUMBERS].to_csv(tmp_path / "rows.csv", index=False)
    if file.endswith(".cbm"):
        kind = catboost.CatBoostClassifier if file == "classes.cbm" else catboost.CatBoostRegressor
        target = table.churned if file == "classes.cbm" else table.spend
        kind(iterations=10, verbose=0, allow_writing_files=False).fit(table[NUMBERS], target).save_model(
            str(tmp_path / file)
        )
    else:
        module = networks.module()
        example = torch.randn(2, 3)
        if file == "script.pt":
            torch.jit.trace(module, example).save(str(tmp_path / file))
        else:
            rows = torch.export.Dim("rows")
            torch.export.save(torch.export.export(module, (example,), dynamic_shapes=({0: rows},)), tmp_path / file)
    code = run(tmp_path / file, tmp_path / "rows.csv", tmp_path / "v1", "--trusted", "--no-check")
    out, err = capfd.readouterr()
    assert code == 0, out + err
    assert re.search(r"faithful  45\d rows alike in float32", out), out


def test_weights_alone_and_categories_are_refused_with_a_way_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import catboost
    import torch
    from tests.importing.makers import customers

    table = customers()
    table[["age", "plan"]].to_csv(tmp_path / "rows.csv", index=False)
    torch.save(torch.nn.Linear(2, 1).state_dict(), tmp_path / "weights.pth")
    model = catboost.CatBoostClassifier(iterations=5, verbose=0, cat_features=["plan"], allow_writing_files=False)
    model.fit(table[["age", "plan"]], table.churned).save_model(str(tmp_path / "categories.cbm"))
    for name, words in (
        ("weights.pth", "a file of weights needs the class of its model: load both, and write torch.export.save"),
        ("categories.cbm", r"has categories or texts as features (plan), which CatBoost does not export to ONNX"),
    ):
        assert run(tmp_path / name, tmp_path / "rows.csv", tmp_path / "v1", "--trusted") == 1
        assert words in capfd.readouterr().err
