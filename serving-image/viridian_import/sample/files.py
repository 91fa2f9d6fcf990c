"""A table's file as pandas reads it, or a sentence that says what is wrong with it."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from viridian_import.faults import ImportFault
from viridian_import.sample.numbers import is_number
from viridian_serving.artifacts.library_words import words_of

SEPARATED: Final = {".csv": ",", ".tsv": "\t"}
"""By what the values of a line are separated."""
_JSON: Final = (".jsonl", ".ndjson", ".json")
_SUFFIXES: Final = (*SEPARATED, ".parquet", *_JSON)
_BEGINNING: Final = 4096
_ARCHIVE: Final = b"PK\x03\x04"
_MARKS: Final = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
"""First bytes of texts that are not UTF-8."""
_AROUND: Final = 12
"""Bytes that a message shows on both sides of one that is no UTF-8."""


def form_of(file: Path) -> str:
    """Return the suffix that says how a file is read; CSV, if it has none that does."""
    return next((each for each in reversed(file.suffixes) if each in _SUFFIXES), ".csv")


def frame_of_file(file: Path, texts: Collection[str] = ()) -> Any:  # noqa: ANN401  pandas has no types here
    """Read a file.

    Args:
        file: CSV (also compressed), tab-separated, Parquet, or JSON: an object a line, or a list of objects.
        texts: Columns of which the values of a CSV are kept as they are written.

    Returns:
        A data frame.

    Raises:
        ImportFault: It is missing, or no such table.
    """
    import pandas as pd

    form = form_of(file)
    if not file.is_file():
        raise ImportFault(f"there is no file {file}; name a table: CSV, Parquet, or a JSON object a line")
    if not file.stat().st_size:
        raise no_rows(file)
    try:
        if form == ".parquet":
            return pd.read_parquet(file)
        if form in _JSON:  # which has types: "007" is a text, and a date is one too
            return pd.read_json(file, lines=not _is_list(file), dtype=False, convert_dates=False)
        return _separated(file, texts, SEPARATED[form])
    except ImportError:
        raise ImportFault(f"{file} needs pyarrow to be read: pip install pyarrow, or give the table as CSV") from None
    except pd.errors.EmptyDataError:
        raise no_rows(file) from None
    except UnicodeDecodeError as error:
        raise ImportFault(_not_utf8(file, error)) from None
    except (ValueError, KeyError, OSError) as error:  # what pandas raises is one of these
        raise ImportFault(
            f"{file} cannot be read as a table ({words_of(error)}); correct it, or write it as CSV"
        ) from None


def no_rows(file: Path) -> ImportFault:
    """Return what is said of a table without rows."""
    return ImportFault(f"{file} has no rows; a table has a line with the names of its columns, and rows below it")


def _is_list(file: Path) -> bool:
    """Whether a file of JSON is one list, and not an object a line."""
    if file.suffix not in _JSON:  # compressed
        return False
    with file.open("rb") as opened:
        return opened.read(_BEGINNING).lstrip().startswith(b"[")


def _separated(file: Path, texts: Collection[str], separator: str) -> Any:  # noqa: ANN401
    import pandas as pd

    with file.open("rb") as opened:
        if opened.read(len(_ARCHIVE)) == _ARCHIVE and file.suffix != ".zip":
            raise ImportFault(f"{file} is a workbook or an archive, and no text; save the table in it as CSV")
    first = pd.read_csv(file, sep=separator, header=None, nrows=1, dtype="str").iloc[0].dropna().tolist()
    if wrong := _wrong_names(first, separator):
        raise ImportFault(f"{file} {wrong}")
    # In one piece: of a column in parts, some may become numbers and others texts.
    frame = pd.read_csv(file, sep=separator, dtype=dict.fromkeys(texts, "str"), low_memory=False)
    if not frame.index.equals(pd.RangeIndex(len(frame))):  # the first value of each row
        raise ImportFault(
            f"{file} has more values in its rows than names in its first line; give each column a name, and put texts "
            f"with {separator!r} in them into quotes"
        )
    return frame


def _wrong_names(names: list[str], separator: str) -> str | None:
    """What is wrong with a first line, as the end of a sentence."""
    if twice := next((name for name in names if names.count(name) > 1), None):
        return f"has two columns {twice!r}; rename one of them, or leave it out"
    other = next((each for each in ";\t|" if each != separator and len(names) == 1 and each in names[0]), None)
    if other is not None:
        instead = "call the file .tsv" if other == "\t" else "write it with commas, and numbers with points"
        return f"has one column, {names[0]!r}: its values are separated by {other!r}; {instead}"
    # Frames without names have 0, 1, 2 for them, and years may be names too.
    if names and all(map(is_number, names)) and not all(map(str.isdecimal, names)):
        return (
            f"has numbers in the place of the names of its columns ({', '.join(names[:3])}, …); write a first line "
            "that names them"
        )
    return None


def _not_utf8(file: Path, error: UnicodeDecodeError) -> str:
    beginning, wrong = error.object[:2], error.object[error.start]
    around = error.object[max(0, error.start - _AROUND) : error.start + _AROUND]
    is_binary = b"\0" in error.object or any(byte < 32 and byte not in b"\t\r\n" for byte in around)
    if is_binary and beginning not in _MARKS:
        return f"{file} is no text, so it is no CSV; write the table as CSV"
    encoding = _MARKS.get(beginning, "WINDOWS-1252")
    seen = (
        "as its first bytes say"
        if beginning in _MARKS
        else f"by which the byte 0x{wrong:02x} reads {around.decode('cp1252', 'replace').splitlines()[0]!r}"
    )
    return (
        f"{file} is not UTF-8, but probably {encoding} ({seen}); convert it: "
        f"iconv -f {encoding} -t UTF-8 {file.name} > utf8-{file.name}"
    )
