"""baseline.json: what is read of it, and what is said of one that cannot be used."""

import json
from pathlib import Path
from typing import Any

import pytest

from viridian_serving.codec.tensors import SchemaError
from viridian_serving.contract.baseline_file import FILE, MAX_CATEGORIES, Baseline, read_baseline

AGE = {"edges": [30, 40.5], "counts": [2, 3, 5], "low": 18, "high": 64, "missing": 1}


def read(folder: Path, **features: Any) -> Baseline:
    (folder / FILE).write_text(json.dumps({"rows": 11, "features": features, "predictions": {}}))
    found = read_baseline(folder)
    assert found is not None
    return found


def test_numbers_have_bins_between_the_edges_and_outside_of_the_range(tmp_path: Path) -> None:
    # when
    found = read(tmp_path, age=AGE).features["age"]
    # then
    assert found.counts == {"below": 0, "18..30": 2, "30..40.5": 3, "40.5..64": 5, "above": 0, "missing": 1}
    assert found.bounds == (18, 30, 40.5, 64)


def test_a_bin_that_many_equal_values_leave_empty_is_left_out(tmp_path: Path) -> None:
    visits = {"edges": [0, 1], "counts": [0, 6, 4], "low": 0, "high": 3, "missing": 0}
    assert list(read(tmp_path, visits=visits).features["visits"].counts) == [
        "below",
        "0..1",
        "1..3",
        "above",
        "missing",
    ]


def test_only_frequent_categories_have_a_bin(tmp_path: Path) -> None:
    # given
    categories = {f"c{i:02}": 100 - i for i in range(MAX_CATEGORIES + 2)} | {"other": 1, "missing": 2}
    # when
    counts = read(tmp_path, city={"categories": categories, "missing": 3}).features["city"].counts
    # then what is called as a bin is in that bin, and nothing is lost
    assert list(counts) == [f"c{i:02}" for i in range(MAX_CATEGORIES)] + ["other", "missing"]
    assert (counts["other"], counts["missing"]) == (90 + 89 + 1, 5)


def test_outputs_of_several_numbers_are_told_apart(tmp_path: Path) -> None:
    assert list(read(tmp_path, p=[AGE, AGE]).features) == ["p[0]", "p[1]"]


def test_a_column_without_values_has_no_distribution(tmp_path: Path) -> None:
    empty = {"edges": [], "counts": [0], "low": None, "high": None, "missing": 4}
    assert read(tmp_path, nothing=empty).features == {}


def test_no_file_is_no_baseline(tmp_path: Path) -> None:
    assert read_baseline(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "baseline.json is not JSON"),
        ("[]", "baseline.json must be an object with rows, features and predictions"),
        ('{"features": []}', "features must be an object with one member"),
        ('{"features": {"age": {}}}', "features.age must be an object with one of edges, categories, lengths"),
        (
            json.dumps({"features": {"age": {**AGE, "counts": [1, "2", 3]}}}),
            r"features.age.counts\[1\] Input should be",
        ),
        (
            json.dumps({"features": {"age": {**AGE, "counts": [1]}}}),
            "features.age counts must hold one more than edges",
        ),
        (json.dumps({"features": {"age": {**AGE, "counts": [1, -1, 3]}}}), "features.age counts must be 0 or more"),
        (
            json.dumps({"features": {"age": {**AGE, "edges": [40, 30]}}}),
            "features.age low, edges and high must increase",
        ),
        (json.dumps({"features": {"age": {**AGE, "low": None}}}), "features.age low and high must be the smallest"),
        (json.dumps({"features": {"age": {**AGE, "bins": 3}}}), "features.age.bins Extra inputs are not permitted"),
        (
            '{"predictions": {"y": [{"categories": {"a": "b"}, "missing": 0}]}}',
            r"predictions.y\[0\].categories.a Input",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_a_way_out(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(SchemaError, match=f"{words}.*; make it anew with `viridian baseline`, or remove it"):
        read_baseline(tmp_path)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b" " * (4 * 1024 * 1024 + 1))
    with pytest.raises(SchemaError, match=r"more than \d+ bytes"):
        read_baseline(tmp_path)
