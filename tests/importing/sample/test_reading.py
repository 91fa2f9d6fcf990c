"""Tables as people have them, and what is said of those that cannot be read."""

import gzip
from pathlib import Path

import pytest

from viridian_import.faults import ImportFault
from viridian_import.sample.reading import read_table
from viridian_serving.codec.tensors import Kind

pytestmark = pytest.mark.importing


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "has no rows; a table has a line with the names of its columns"),
        (b"a,b\n", "has no rows; a table has a line with the names of its columns"),
        (b"a,a\n1,2\n", "has two columns 'a'; rename one of them"),
        (b"a;b\n1,5;2\n", "has one column, 'a;b': its values are separated by ';'; write it with commas, and numbers"),
        (b"a\tb\n1\t2\n", "its values are separated by '\\t'; call the file .tsv"),
        (b"0.5,1.5\n2,3\n", "has numbers in the place of the names of its columns (0.5, 1.5, …)"),
        (b"a,b\n1,2,3\n4,5,6\n", "has more values in its rows than names in its first line"),
        (b"a,b\n1,2\n4,5,6\n", "cannot be read as a table (Error tokenizing data. C error: Expected 2 fields"),
        ("a,größe\n1,2\n".encode("latin-1"), "is not UTF-8, but probably WINDOWS-1252 (by which the byte 0xf6 reads"),
        (
            "a,größe\n1,2\n".encode("latin-1"),
            "'a,größe'); convert it: iconv -f WINDOWS-1252 -t UTF-8 t.csv > utf8-t.csv",
        ),
        ("a,größe\n1,2\n".encode("utf-16"), "probably UTF-16 (as its first bytes say); convert it: iconv -f UTF-16"),
        (bytes(range(128, 256)) + bytes(range(32)), "is no text, so it is no CSV"),
        (b"PK\x03\x04 and so on", "is a workbook or an archive, and no text; save the table in it as CSV"),
        (
            b"a\n123456789012345678901234567890\n",
            "holds whole numbers of more than 64 bits, such as 123456789012345678",
        ),
        (b"a\n18446744073709551615\n", "holds whole numbers of more than 64 bits, such as 18446744073709551615; leave"),
        (b"a,b\n1,2\ninf,3\n", "row 2 of {file} holds inf in column 'a', which is not a number; correct that cell"),
    ],
)
def test_a_csv_that_cannot_be_read_is_said_with_the_way_out(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    with pytest.raises(ImportFault) as raised:
        read_table(file, {})
    assert words.format(file=file) in str(raised.value)


@pytest.mark.parametrize("option", ["--dtype", None])
def test_only_an_option_that_the_command_has_is_named(tmp_path: Path, option: str | None) -> None:
    # given a column of two types, which only JSON can have
    file = tmp_path / "t.jsonl"
    file.write_text('{"a": 1}\n{"a": "x"}\n')
    # when
    with pytest.raises(ImportFault) as raised:
        read_table(file, {}, option)
    # then
    said = str(raised.value)
    assert "column 'a' of" in said
    assert "holds values of several types, such as 1 and 'x'; write it with one" in said
    assert ("--dtype a=string" in said) == (option is not None)


def test_nested_values_are_named(tmp_path: Path) -> None:
    import pandas as pd

    file = tmp_path / "t.parquet"
    pd.DataFrame({"a": [1, 2], "b": [{"c": 1}, {"c": 2}]}).to_parquet(file)
    with pytest.raises(ImportFault, match=r"column .b. of .* holds lists or objects, such as \{.c.: 1\}; give each"):
        read_table(file, {})


def test_json_lines_keep_their_types(tmp_path: Path) -> None:
    # given a code, a date, a true that is missing elsewhere, and a number that is
    file = tmp_path / "t.jsonl"
    file.write_text(
        '{"zip": "007", "updated_at": "2026-01-01", "member": true, "age": 7, "id": 1}\n'
        '{"zip": "012", "updated_at": "2026-01-02", "member": null, "age": null, "id": 2}\n'
    )
    # when
    table = read_table(file, {})
    # then
    assert {each.name: (each.kind, each.values) for each in table.columns} == {
        "zip": (Kind.STRING, ["007", "012"]),
        "updated_at": (Kind.STRING, ["2026-01-01", "2026-01-02"]),
        "member": (Kind.BOOLEAN, [True, None]),
        "age": (Kind.NUMBER, [7.0, None]),
        "id": (Kind.INTEGER, [1, 2]),
    }


def test_columns_are_read_as_the_kinds_that_are_asked_for(tmp_path: Path) -> None:
    # given
    file = tmp_path / "t.csv.gz"
    file.write_bytes(gzip.compress(b"zip,member,age,visits,big\n007,yes,3,2.0,9007199254740993\n012,No,,4.0,5\n"))
    kinds = {"zip": Kind.STRING, "member": Kind.BOOLEAN, "age": Kind.NUMBER, "visits": Kind.INTEGER}
    # when
    table = read_table(file, kinds)
    # then
    assert {each.name: each.values for each in table.columns} == {
        "zip": ["007", "012"],
        "member": [True, False],
        "age": [3.0, None],
        "visits": [2, 4],
        "big": [9007199254740993, 5],
    }


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Kind.BOOLEAN, "row 2 of {file} holds 'maybe' in column 'a', which is not true or false; correct that cell"),
        (Kind.NUMBER, "row 1 of {file} holds 'yes' in column 'a', which is not a number; correct that cell"),
    ],
)
def test_a_cell_that_is_not_of_the_kind_is_named(tmp_path: Path, kind: Kind, words: str) -> None:
    file = tmp_path / "t.csv"
    file.write_text("a\nyes\nmaybe\n")
    with pytest.raises(ImportFault) as raised:
        read_table(file, {"a": kind})
    assert str(raised.value) == words.format(file=file)


def test_names_may_have_spaces_quotes_and_letters_of_any_script(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text('my age,"it\'s ""q""",größe 身,2019\n1,2,3,4\n')
    assert read_table(file, {}).names == ["my age", 'it\'s "q"', "größe 身", "2019"]


def test_parquet_is_read_with_the_types_that_databases_have(tmp_path: Path) -> None:
    # given
    import datetime
    from decimal import Decimal

    import pandas as pd

    file = tmp_path / "t.parquet"
    columns = {
        "price": [Decimal("1.50"), None],
        "day": [datetime.date(2026, 1, 2), None],
        "at": pd.to_datetime(["2026-01-02 03:04", None]),
        "plan": pd.Categorical(["basic", None]),
        "visits": pd.array([3, None], dtype="Int64"),
        "member": pd.array([True, None], dtype="boolean"),
    }
    pd.DataFrame(columns, index=["c1", "c2"]).to_parquet(file)
    # when
    table = read_table(file, {})
    # then the index is none of its columns
    assert {each.name: (each.kind, each.values) for each in table.columns} == {
        "price": (Kind.NUMBER, [1.5, None]),
        "day": (Kind.STRING, ["2026-01-02", None]),
        "at": (Kind.STRING, ["2026-01-02T03:04:00", None]),
        "plan": (Kind.STRING, ["basic", None]),
        "visits": (Kind.NUMBER, [3.0, None]),
        "member": (Kind.BOOLEAN, [True, None]),
    }


@pytest.mark.parametrize("text", ['[{"a": 1, "b": "x"}]', ' \n[{"a": 1,\n"b": "x"}]', '{"a": 1, "b": "x"}\n'])
def test_json_is_a_list_of_objects_or_an_object_a_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "t.json"
    file.write_text(text)
    assert read_table(file, {}).row(0) == {"a": 1, "b": "x"}


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl", ".json"])
def test_an_empty_file_has_no_rows(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"t{suffix}"
    file.touch()
    with pytest.raises(ImportFault, match="has no rows; a table has"):
        read_table(file, {})
