"""What is learnt from a sample."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from viridian_import.faults import ImportFault
from viridian_import.learn.baseline import baseline, histogram
from viridian_import.learn.draft import draft
from viridian_import.learn.features import choose
from viridian_import.learn.ranges import bounds_of
from viridian_import.learn.schema_text import schema_text
from viridian_import.learn.sensitive import looks_sensitive
from viridian_import.messages import Column, Description, Layout, Output, Role
from viridian_import.sample.odd_cells import odd_cells
from viridian_import.sample.table import Table
from viridian_serving.codec.tensors import Kind
from viridian_serving.contract.baseline_file import read_baseline
from viridian_serving.contract.schema_file import parse

OUTPUTS = [Output("label", Role.LABEL, "predict"), Output("probabilities", Role.PROBABILITIES, "predict_proba")]


def table(**columns: list[Any]) -> Table:
    kinds = {int: Kind.INTEGER, float: Kind.NUMBER, str: Kind.STRING, bool: Kind.BOOLEAN}
    return Table(
        tuple(
            Column(name, kinds[type(next(value for value in values if value is not None))], values)
            for name, values in columns.items()
        )
    )


def model(features: list[str] | None = None, width: int | None = None) -> Description:
    return Description("Ridge", "regressor", OUTPUTS, {}, [Layout.MATRIX], "", features=features, width=width)


@pytest.mark.parametrize(
    ("values", "bounds"),
    [
        ([18, 90], (0, 170)),
        ([-1.5, 1.5], (-5, 5)),
        ([0.1, 0.3], (0, 0.5)),
        ([5, 5], None),
        ([], None),
    ],
)
def test_bounds_are_wider_than_the_sample_and_keep_its_sign(
    values: list[float], bounds: tuple[float, float] | None
) -> None:
    assert bounds_of(values) == bounds


@pytest.mark.parametrize(
    ("name", "sensitive"),
    [("email", True), ("first_name", True), ("customerEmail", True), ("PhoneNumber", True), ("age", False)],
)
def test_names_that_tell_of_a_person_are_sensitive(name: str, sensitive: bool) -> None:
    assert looks_sensitive(name) is sensitive


def test_features_are_those_that_the_model_names_in_its_order() -> None:
    # given
    sample = table(b=[1.0], y=[0], extra=[2.0], a=[3.0])
    # when
    chosen = choose(sample, model(features=["a", "b"]), "y")
    # then
    assert chosen.features.names == ["a", "b"]
    assert chosen.notices == ("column 'extra' of the sample is no feature of the model, and left out",)


@pytest.mark.parametrize(
    ("description", "target", "words"),
    [
        (model(features=["a", "c"]), None, "the sample lacks column 'c', which the model was trained with"),
        (
            model(width=2),
            None,
            "takes 2 columns, without names, and the sample has 3; .*: name the one to predict with",
        ),
        (model(width=1), "y", "takes 1 column, without names, and the sample has 2 beside 'y'"),
    ],
)
def test_a_sample_that_does_not_fit_is_said(description: Description, target: str | None, words: str) -> None:
    with pytest.raises(ImportFault, match=words):
        choose(table(a=[1.0], b=[2.0], y=[0]), description, target)


@pytest.mark.parametrize(
    ("cells", "named"),
    [
        (["1", "2.5", None, "abc", "1e3"], "row 4 of the sample holds 'abc' in column 'x'"),
        (["1", "abc", "2", "3", "4", "n/a", "5", "6"], "row 2 of the sample holds 'abc' in column 'x'"),
        (["1", "2", "abc"], None),
        (["A-1234", "B-77", "12"], None),
        (["1010", "8020"], None),
        ([None, None], None),
    ],
)
def test_a_cell_that_makes_text_of_numbers_is_named(cells: list[str | None], named: str | None) -> None:
    found = list(odd_cells(Table((Column("x", Kind.STRING, cells),))))
    assert len(found) == (named is not None)
    assert all(named is not None and one.startswith(named) for one in found)


def test_a_schema_holds_what_was_learnt_and_can_be_read() -> None:
    # given
    sample = table(
        age=[18, 40, 90] * 2,
        income=[1.5, None, 3.5] * 2,
        city=["Graz", "Wien", None] * 2,
        size=["S", "M", "S"] * 2,
        email=["a@x.org", "b@x.org", "c@x.org", "d@x.org", "e@x.org", "f@x.org"],
    )
    # when size is encoded without handle_unknown, and the model fails when income is missing
    drafts = draft(sample, closed=["size"], refused_missing=["income", "size", "email"])
    text = schema_text(drafts, OUTPUTS, ["no", "yes"], sample.rows, None)
    schema = parse(text.encode())
    # then
    assert schema.features is not None
    age, income, city, size, email = schema.features
    assert (age.type, age.min, age.max, age.example) == (Kind.INTEGER, 0, 170, 40)
    assert not income.nullable
    assert (city.categories, size.categories) == ((), ("M", "S"))
    assert "# Learnt by viridian import from 6 rows." in text
    (page,) = re.findall(r"docs/\S+\.md", text)
    assert (Path(__file__).parents[2] / page).is_file()
    assert "in the sample Graz, Wien; others are let in, as the model takes them; 33.3 % missing" in text
    assert (email.sensitive, email.example) == (True, None)
    assert "@" not in text
    assert schema.outputs is not None
    assert schema.outputs.classes == ("no", "yes")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, False] * 3, Kind.BOOLEAN),
        ([4111, 4222] * 3, Kind.INTEGER),
        ([41.25, None] * 3, Kind.NUMBER),
        (["visa", "amex"] * 3, Kind.STRING),
        ([f"4111-{i}" for i in range(6)], Kind.STRING),
    ],
)
def test_a_sensitive_feature_of_any_type_can_be_read_and_shows_no_value(values: list[Any], kind: Kind) -> None:
    # given a column whose name looks personal
    sample = table(has_card=values)
    assert sample.columns[0].kind is kind
    # when
    text = schema_text(draft(sample, closed=[], refused_missing=[]), OUTPUTS, ["no", "yes"], sample.rows, None)
    # then the schema is a good one, and nothing of the sample stands in it
    features = parse(text.encode()).features
    assert features is not None
    assert (features[0].type, features[0].sensitive, features[0].example) == (kind, True, None)
    assert not re.search("41.25|4111|4222|visa|amex", text)


@pytest.mark.parametrize(
    ("classes", "line"),
    [
        ([0, 1], "  # classes: [name, …]   # of the model's classes 0, 1"),
        ([3, 5], "  # The probabilities are those of the classes 3, 5."),
    ],
)
def test_classes_that_are_numbers_keep_their_numbers(classes: list[int], line: str) -> None:
    text = schema_text(draft(table(a=[1.0, 2.0]), [], []), OUTPUTS, classes, 2, "X")
    assert line in text.splitlines()
    assert parse(text.encode()).outputs is not None


def test_a_feature_called_like_the_input_of_all_is_still_one_column() -> None:
    drafts = draft(table(X=[1.0, 2.0], b=[1.0, 2.0]), [], [])
    schema = parse(schema_text(drafts, OUTPUTS, None, 2, "X").encode())
    assert [each.tensor for each in schema.features or ()] == ["X", "X"]


def test_a_histogram_counts_every_value_between_its_deciles() -> None:
    # when
    found = histogram([*map(float, range(100)), None])
    # then
    assert found["edges"] == [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0]
    assert found["counts"] == [10] * 10
    assert (found["low"], found["high"], found["missing"]) == (0, 99, 1)


def test_a_baseline_has_nothing_of_sensitive_features() -> None:
    # given
    features = table(age=[20, 30], salary=[1000, 2000])
    # when
    found = baseline(features, draft(features, (), ()), [], {})
    # then
    assert found["features"].keys() == {"age"}


def test_pods_can_read_what_is_written(tmp_path: Path) -> None:
    # given
    features = table(age=[20, 30, 40], note=["a", "bc", "def"], member=[True, False, True])
    answers = {"label": [0, 1, 1], "probabilities": [[0.5, 0.5], [0.1, 0.9], [0.2, 0.8]]}
    # when
    written = baseline(features, draft(features, (), ()), OUTPUTS, answers)
    (tmp_path / "baseline.json").write_text(json.dumps(written))
    found = read_baseline(tmp_path)
    # then
    assert found is not None
    assert found.features.keys() == {"age", "note", "member"}
    assert found.predictions.keys() == {"label", "probabilities[0]", "probabilities[1]"}
