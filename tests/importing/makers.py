"""Models as people make them, and the samples that they were trained with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

_RANDOM_STATE = 7


def customers(rows: int = 400) -> pd.DataFrame:
    """A table of mixed types, with missing values, whose column ``churned`` depends on the others."""
    random = np.random.default_rng(_RANDOM_STATE)
    table = pd.DataFrame(
        {
            "age": random.integers(18, 90, rows),
            "income": random.normal(45_000, 12_000, rows).round(2),
            "visits": random.poisson(4, rows).astype(float),
            "city": random.choice(["Graz", "Basel", "Wien", "Köln"], rows),
            "plan": random.choice(["basic", "plus"], rows),
            "note": random.choice(["all good", "wants to leave", "late payment again", "asked for a refund"], rows),
        }
    )
    score = (table.age - 50) / 20 + (table.city == "Graz") + table.note.str.contains("leave") * 2 - table.visits / 4
    table["churned"] = np.where(score + random.normal(0, 0.5, rows) > 0, "yes", "no")
    table["spend"] = (table.income / 1000 + 3 * table.visits + random.normal(0, 1, rows)).round(3)
    table.loc[random.random(rows) < 0.1, "income"] = np.nan
    table.loc[random.random(rows) < 0.05, "city"] = np.nan
    return table


NUMBERS = ["age", "income", "visits"]
WORDS = ["city", "plan"]


def prepared(*, text: bool = True, impute: bool = True) -> Any:
    """A ColumnTransformer as most are: imputers, scaling, one-hot, and words of a text."""
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    words = [SimpleImputer(strategy="most_frequent")] if impute else []
    parts = [
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
        ("words", make_pipeline(*words, OneHotEncoder(handle_unknown="ignore")), WORDS),
    ]
    if text:
        parts.append(("text", TfidfVectorizer(), "note"))
    return ColumnTransformer(parts)


@dataclass(frozen=True)
class Made:
    """A model file, the sample beside it, and what was trained."""

    model: Path
    sample: Path
    target: str | None
    trained: Any


def saved(folder: Path, trained: Any, sample: pd.DataFrame, target: str | None, suffix: str = ".joblib") -> Made:
    """Write a model as scikit-learn's users do."""
    folder.mkdir(parents=True, exist_ok=True)
    file, rows = folder / f"churn{suffix}", folder / "train.csv"
    if suffix == ".skops":
        import skops.io

        skops.io.dump(trained, file)
    else:
        import joblib

        joblib.dump(trained, file)
    sample.to_csv(rows, index=False)
    return Made(file, rows, target, trained)


def churn(folder: Path, estimator: Any = None, suffix: str = ".joblib", **options: bool) -> Made:
    """The main case: named columns of mixed types, and a classifier."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    table = customers()
    pipeline = make_pipeline(
        prepared(**options), estimator if estimator is not None else LogisticRegression(max_iter=500)
    )
    pipeline.fit(table, table.churned)
    return saved(folder, pipeline, table.drop(columns=["spend"]), "churned", suffix)


def numeric(folder: Path, estimator: Any, *, named: bool = True, labelled: bool = False) -> Made:
    """A model of numbers alone, trained with or without names of columns; the sample may have its labels."""
    from sklearn.base import is_classifier

    table = customers()[[*NUMBERS, "spend", "churned"]].fillna({"income": 45_000})
    labels = (table.churned == "yes").astype(int)
    target = labels if is_classifier(estimator) else table.spend
    estimator.fit(table[NUMBERS] if named else table[NUMBERS].to_numpy(), target)
    column = "churned" if labelled else "spend"
    return saved(folder, estimator, table[NUMBERS].assign(**{column: target if labelled else table.spend}), column)
