"""Folders of native formats that are not served, and why; those that are: tests/importing/test_native.py."""

import json
from pathlib import Path
from typing import Any

import pytest

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.triton.native_repository import write_native_repository

DESCRIBED = {
    "format": "xgboost",
    "file": "model.json",
    "layout": "array",
    "features": [{"name": "x", "type": "number"}],
    "outputs": [{"name": "prediction", "type": "FP64", "size": 1, "method": "predict"}],
    "empty": [],
    "versions": {},
}
TRUSTED = {"trusted": True, "allow_code": True}


@pytest.mark.parametrize(
    ("change", "allowed", "words"),
    [
        ({"features": 1}, TRUSTED, "native.json cannot be used .*; write the folder with viridian import --native"),
        (
            {"file": "model.joblib"},
            TRUSTED | {"trusted": False},
            "set model.trusted to true .* if you trust its author",
        ),
        ({"file": "model.joblib"}, TRUSTED | {"allow_code": False}, "this installation allows models none"),
        (
            {"versions": {"no-such-package": "1.0"}},
            {"trusted": False, "allow_code": False},
            "it needs no-such-package 1.0, which this image does not have; build a serving image with the model's",
        ),
        (
            {},
            {"trusted": False, "allow_code": False},
            "model.json (needs the module xgboost|cannot be loaded by XGBoost)",
        ),
    ],
    ids=["not described", "not trusted", "no code allowed", "without a package", "without the library"],
)
def test_what_is_not_served_is_said(
    tmp_path: Path, change: dict[str, Any], allowed: dict[str, bool], words: str
) -> None:
    # given
    (tmp_path / "native.json").write_text(json.dumps(DESCRIBED | change))
    # when, then
    with pytest.raises(ModelError, match=words):
        write_native_repository(tmp_path, "xgboost", "m", tmp_path / "repository", **allowed)
    assert not (tmp_path / "repository").exists()
