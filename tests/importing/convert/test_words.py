"""Texts beyond English: into which words they fall, and in which case."""

import re
from pathlib import Path
from typing import Any

import pytest

from viridian_import.commands.main import main

pytestmark = pytest.mark.importing

GOOD = ["schöne größe", "gerne wieder, sehr élégant", "東京 bon", "über alles gut", "b_c 12 x y"]
BAD = ["großer ärger", "ärger mit der lieferung", "übel", "déçu a b", "нет, спасибо"]


def text_model(folder: Path, texts: list[str], **options: Any) -> Any:
    """A vectorizer and a classifier of texts, of which the second half is bad."""
    import pandas as pd
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from tests.importing import makers

    half = len(texts) // 2
    table = pd.DataFrame({"review": texts * 20, "label": (["good"] * half + ["bad"] * half) * 20})
    trained = make_pipeline(TfidfVectorizer(**options), LogisticRegression()).fit(table.review, table.label)
    return makers.saved(folder, trained, table, "label")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ngram_range": (1, 2)},
        {"token_pattern": r"(?u)\b\w+\b"},
        {"token_pattern": r"\w+", "ngram_range": (1, 2)},
        {"token_pattern": r"[a-z]+"},
    ],
    ids=["scikit-learn's words", "pairs", "words of one letter", "pairs of those", "a pattern of one's own"],
)
def test_texts_fall_into_the_words_that_the_original_saw(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], options: dict[str, Any]
) -> None:
    # given texts of several alphabets, in lower case, which every locale keeps
    made = text_model(tmp_path / "given", GOOD + BAD, **options)
    # when
    arguments = ["import", str(made.model), "--sample", str(made.sample), "--target", "label", "--trusted"]
    code = main([*arguments, "--no-check", "--out", str(tmp_path / "v1")])
    # then
    out, err = capfd.readouterr()
    assert code == 0, err
    assert re.search(r"faithful .* labels that differ 0", out)


@pytest.mark.parametrize(
    ("texts", "has", "lowercase", "said"),
    [
        (["ÄRGER"], False, True, True),
        (["ÄRGER"], True, True, False),
        (["trouble", None], False, True, False),
        (["ÄRGER"], False, False, False),
    ],
)
def test_a_machine_without_the_locale_is_named_as_the_cause(
    monkeypatch: pytest.MonkeyPatch, texts: list[str | None], has: bool, lowercase: bool, said: bool
) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    from viridian_import.convert import words
    from viridian_import.readers.causes import causes

    monkeypatch.setattr(words, "has_locale", lambda: has)
    found = list(causes(TfidfVectorizer(lowercase=lowercase), texts))
    assert [("lacks the locale en_US.UTF-8" in each, "localedef -i en_US" in each) for each in found] == (
        [(True, True)] if said else []
    )


def test_the_locale_is_asked_for_where_this_machine_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.feature_extraction.text import CountVectorizer

    from viridian_import.convert import words

    for has, named in ((True, "en_US.UTF-8"), (False, "C")):
        monkeypatch.setattr(words, "has_locale", lambda has=has: has)
        assert words.options_of(CountVectorizer()) == {"locale": named, "tokenexp": r"[\pL\pN_]{2,}"}
        assert words.options_of(CountVectorizer(analyzer="char")) == {"locale": named}
